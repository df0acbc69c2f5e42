/** When to draw: soon for the first change of a frame, then with the next frame; what can wait, after it is painted. */

export interface Scheduler {
  /** `whole` where all that belongs together has come, so that nothing need be waited for. */
  request(whole?: boolean): void;
  /** Do at once what was asked for, if anything was. */
  flush(): void;
  stop(): void;
}

/** Within this, messages that a kernel sends one after the other are drawn together. */
const TOGETHER_MS = 1;

/**
 * Run `draw` a moment after the first change, or in the frame's callback where that comes before; once a frame.
 *
 * Waiting for the callback in any case would make a message's change compete with all else that runs in a frame;
 * drawing at every change would paint twice where both limits of a scale come as messages of their own. A pointer's
 * moves come just before the callback, so that what they change is drawn in their frame.
 */
export function frameScheduler(draw: () => void): Scheduler {
  let frame = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let wanted = false;
  let stopped = false;
  const run = () => {
    clearTimeout(timer);
    timer = undefined;
    wanted = false;
    draw();
  };
  const onFrame = () => {
    frame = 0;
    if (!wanted) return;
    frame = requestAnimationFrame(onFrame); // until then no other drawing
    run();
  };
  return {
    request(whole = false) {
      if (stopped) return;
      if (!wanted && frame === 0) {
        frame = requestAnimationFrame(onFrame);
        timer = setTimeout(run, TOGETHER_MS);
      }
      wanted = true;
      if (whole && timer !== undefined)
        queueMicrotask(() => {
          if (wanted && timer !== undefined) run();
        });
    },
    flush() {
      if (wanted) run();
    },
    stop() {
      stopped = true;
      wanted = false;
      clearTimeout(timer);
      cancelAnimationFrame(frame);
    },
  };
}

const HIDDEN_MS = 500;

/** Run `act` after the next frame has been painted, however often it is asked for until then. */
export function afterPaintScheduler(act: () => void): Scheduler {
  let frame = 0;
  let timer: ReturnType<typeof setTimeout> | null = null;
  const run = () => {
    if (timer !== null) clearTimeout(timer);
    cancelAnimationFrame(frame);
    timer = null;
    act();
  };
  return {
    request() {
      if (timer !== null) return;
      timer = setTimeout(run, HIDDEN_MS); // where no frames are made, as in a hidden tab
      frame = requestAnimationFrame(() => {
        if (timer === null) return;
        clearTimeout(timer);
        timer = setTimeout(run);
      });
    },
    flush() {
      if (timer !== null) run();
    },
    stop() {
      if (timer !== null) clearTimeout(timer);
      timer = null;
      cancelAnimationFrame(frame);
    },
  };
}
