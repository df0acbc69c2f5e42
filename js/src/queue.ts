/** What is wanted from the kernel: a few at a time, the first first, and nothing that is wanted no more. */

const MOST_IN_FLIGHT = 2;
/** Where it is tried twice, what fails is asked for once more after this. */
export const SECOND_TRY_MS = 1000;

export interface QueueActions<Wish, Answer> {
  /** Wishes of one key are the same. */
  key(wish: Wish): string | number;
  ask(wish: Wish, giveUp: AbortSignal): Promise<Answer>;
  arrived(wish: Wish, answer: Answer): void;
  /** It cannot be had, at the second try either where there is one; why, in words. */
  failed(wish: Wish, message: string): void;
  /** For all the patience there is, nothing has come. */
  late(): void;
}

export interface Queue<Wish> {
  /**
   * From now on these are wanted, in place of those before; each until it has arrived or failed. What is late is asked
   * for again.
   */
  want(wishes: readonly Wish[]): void;
  /** The same, and answers to what was asked so far are of no use. */
  restart(wishes: readonly Wish[]): void;
  /** Want nothing any more, and give up what is in flight. */
  stop(): void;
}

interface Flight {
  readonly giveUp: AbortController;
  /** Waited for no longer: it may still come, and keeps no other from being asked for. */
  late: boolean;
}

interface Options {
  /** What is in flight may come although it is wanted no more, as it will be kept. */
  readonly keepsAsked?: boolean;
  readonly triesTwice?: boolean;
}

export function createQueue<Wish, Answer>(
  actions: QueueActions<Wish, Answer>,
  patienceMs: number,
  { keepsAsked = false, triesTwice = false }: Options,
): Queue<Wish> {
  const flights = new Map<string | number, Flight>();
  const failedOnce = new Map<string | number, ReturnType<typeof setTimeout> | null>(); // null: tried again
  let wanted: readonly Wish[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;

  const onTheWay = () => [...flights.values()].filter(({ late }) => !late);
  const watch = () => {
    clearTimeout(timer);
    if (onTheWay().length > 0) timer = setTimeout(loseHope, patienceMs);
  };
  const loseHope = () => {
    for (const flight of flights.values()) flight.late = true;
    actions.late();
    pump();
  };
  const ask = (wish: Wish) => {
    const key = actions.key(wish);
    const flight: Flight = { giveUp: new AbortController(), late: false };
    flights.set(key, flight);
    /** Whether it was still in flight: it lands once, and not where it was given up. */
    const landed = () => flights.get(key) === flight && flights.delete(key);
    const settle = () => {
      failedOnce.delete(key);
      wanted = wanted.filter((other) => actions.key(other) !== key);
    };
    actions.ask(wish, flight.giveUp.signal).then(
      (answer) => {
        if (!landed()) return;
        settle();
        actions.arrived(wish, answer);
        pump();
      },
      (error: Error) => {
        if (!landed()) return;
        if (!triesTwice || failedOnce.has(key)) {
          settle();
          actions.failed(wish, error.message);
        } else failedOnce.set(key, setTimeout(tryAgain, SECOND_TRY_MS, key));
        pump();
      },
    );
  };
  const tryAgain = (key: string | number) => {
    failedOnce.set(key, null);
    pump();
  };
  const pump = () => {
    for (const wish of wanted) {
      if (onTheWay().length >= MOST_IN_FLIGHT) break;
      const key = actions.key(wish);
      const rests = (failedOnce.get(key) ?? null) !== null;
      if (!flights.has(key) && !rests) ask(wish);
    }
    watch();
  };
  const forgive = () => {
    for (const timer of failedOnce.values()) if (timer !== null) clearTimeout(timer);
    failedOnce.clear();
  };
  const giveUp = (whether: (key: string | number, flight: Flight) => boolean) => {
    for (const [key, flight] of [...flights]) {
      if (!whether(key, flight)) continue;
      flights.delete(key);
      flight.giveUp.abort();
    }
  };

  return {
    want(wishes) {
      wanted = wishes;
      const keys = new Set(wishes.map(actions.key));
      giveUp((key, { late }) => (keys.has(key) ? late : !keepsAsked));
      pump();
    },
    restart(wishes) {
      wanted = wishes;
      forgive();
      giveUp(() => true);
      pump();
    },
    stop() {
      wanted = [];
      forgive();
      giveUp(() => true);
      watch();
    },
  };
}
