/** A question that takes long: its button, how far the answer is, the way to stop it, and what went wrong. */
import { button, element, setText, toggle } from "../dom.ts";

const PATIENCE_MS = 5000;

export interface Asking {
  readonly root: HTMLElement;
  /** Ask, unless it has been. */
  start(): void;
  /** Give up what is asked. */
  stop(): void;
}

export interface Question<T> {
  readonly label: string;
  readonly title: string;
  /** What is being done meanwhile. */
  readonly doing: string;
  ask(giveUp: AbortSignal, progress: (share: number) => void): Promise<T>;
  answered(reply: T): void;
}

export function createAsking<T>({ label, title, doing, ask, answered }: Question<T>): Asking {
  let waiting: AbortController | null = null;
  let asked = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const stop = () => waiting?.abort();
  const start = () => {
    if (asked) return;
    asked = true;
    const mine = new AbortController();
    waiting = mine;
    say(doing);
    bar.removeAttribute("value");
    busy(true);
    timer = setTimeout(
      () => say(`${doing}: the kernel has not answered yet; it is busy, or gone`),
      PATIENCE_MS,
    );
    ask(mine.signal, (share) => {
      clearTimeout(timer);
      bar.value = share;
      say(`${doing}, ${Math.floor(100 * share)} %`);
    })
      .then((reply) => {
        answered(reply);
        say("");
      })
      .catch((error: Error) => {
        asked = false;
        say(error.message);
      })
      .finally(() => {
        clearTimeout(timer);
        waiting = null;
        busy(false);
      });
  };
  const busy = (is: boolean) => {
    toggle(bar, is);
    toggle(stopper, is);
    toggle(asker, !asked);
  };
  const say = (text: string) => setText(note, text);
  const asker = button("layergrid-link", label, title, start);
  const bar = element("progress", "layergrid-progress-bar", { max: 1, "aria-label": doing, hidden: true });
  const note = element("span", "layergrid-muted", { role: "status" });
  const stopper = button("layergrid-link", "stop", "Do not wait for it", stop);
  toggle(stopper, false);
  return { root: element("span", "layergrid-asking", {}, asker, bar, note, stopper), start, stop };
}
