/** What is wanted from the kernel: a few at a time, the first first, and nothing that is wanted no more. */

const MOST_IN_FLIGHT = 2;

export interface QueueActions<Wish, Answer> {
  /** Wishes of one key are the same. */
  key(wish: Wish): string | number;
  ask(wish: Wish, giveUp: AbortSignal): Promise<Answer>;
  arrived(wish: Wish, answer: Answer): void;
  /** It cannot be had; why, in words. */
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

/** `keepsAsked`: what is in flight may come although it is wanted no more, as it will be kept. */
export function createQueue<Wish, Answer>(
  actions: QueueActions<Wish, Answer>,
  patienceMs: number,
  keepsAsked = false,
): Queue<Wish> {
  const flights = new Map<string | number, Flight>();
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
    const landed = () => {
      if (flights.get(key) !== flight) return false;
      flights.delete(key);
      wanted = wanted.filter((other) => actions.key(other) !== key);
      return true;
    };
    actions.ask(wish, flight.giveUp.signal).then(
      (answer) => {
        if (!landed()) return;
        actions.arrived(wish, answer);
        pump();
      },
      (error: Error) => {
        if (!landed()) return;
        actions.failed(wish, error.message);
        pump();
      },
    );
  };
  const pump = () => {
    for (const wish of wanted) {
      if (onTheWay().length >= MOST_IN_FLIGHT) break;
      if (!flights.has(actions.key(wish))) ask(wish);
    }
    watch();
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
      giveUp(() => true);
      pump();
    },
    stop() {
      wanted = [];
      giveUp(() => true);
      watch();
    },
  };
}
