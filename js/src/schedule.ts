/** When to draw: at once for the first change of a frame, then with the next frame; what can wait, after it is painted. */

export interface Scheduler {
  request(): void;
  stop(): void;
}

/**
 * Run `draw` after the current task, at most once a frame.
 *
 * Waiting for the frame's callback would show a message's change one frame later than need be, as callbacks run
 * in the order in which they were asked for; drawing at every change would paint several times for one message.
 */
export function frameScheduler(draw: () => void): Scheduler {
  let frame = 0;
  let queued = false;
  let again = false;
  let stopped = false;
  const run = () => {
    queued = false;
    if (stopped) return;
    frame = requestAnimationFrame(() => {
      frame = 0;
      if (again) {
        again = false;
        run();
      }
    });
    draw();
  };
  return {
    request() {
      if (queued || stopped) return;
      if (frame !== 0) {
        again = true;
        return;
      }
      queued = true;
      queueMicrotask(run);
    },
    stop() {
      stopped = true;
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
    stop() {
      if (timer !== null) clearTimeout(timer);
      timer = null;
      cancelAnimationFrame(frame);
    },
  };
}
