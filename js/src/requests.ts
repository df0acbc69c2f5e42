/** Questions to the kernel, each with its one reply. */
import type {
  CancelMessage,
  ClaimRequest,
  FindingsRequest,
  OpenRequest,
  PageRequest,
  Reply,
  SpectrumRequest,
  SummaryRequest,
  WindowRequest,
} from "./messages.ts";

type Asked =
  | FindingsRequest
  | ClaimRequest
  | OpenRequest
  | PageRequest
  | SummaryRequest
  | SpectrumRequest
  | WindowRequest;

type WithoutId<Request> = Request extends Asked ? Omit<Request, "id"> : never;

export type Question = WithoutId<Asked>;

/** The reply to a kind of question. */
export type ReplyTo<Q extends Question> = Extract<Reply, { kind: Q["kind"] }>;

export interface Requests {
  /**
   * The reply; rejected, in words for the reader, if the kernel refuses, fails, or is silent for so long. A question
   * that is given up is rejected at once, and the kernel told. `progress` hears how far the answer is, from 0 to 1.
   */
  ask<Q extends Question>(
    question: Q,
    timeoutMs: number,
    giveUp?: AbortSignal,
    progress?: (share: number) => void,
  ): Promise<ReplyTo<Q>>;
  /** Take in a reply from the kernel; one that answers no open question is left alone. */
  receive(reply: Reply): void;
  /** Ask no more: what is open is dropped. */
  stop(): void;
}

interface Open {
  progress(share: number): void;
  settle(reply: Reply): void;
  drop(): void;
}

/** `firstId` should differ between the views of a model, since each hears the replies to all. */
export function createRequests(send: (request: Asked | CancelMessage) => void, firstId: number): Requests {
  const open = new Map<number, Open>();
  let next = firstId;

  return {
    ask: <Q extends Question>(
      question: Q,
      timeoutMs: number,
      giveUp?: AbortSignal,
      progress: (share: number) => void = () => {},
    ) =>
      new Promise<ReplyTo<Q>>((resolve, reject) => {
        const id = next++;
        const close = () => {
          clearTimeout(timer);
          open.delete(id);
        };
        const timer = Number.isFinite(timeoutMs)
          ? setTimeout(() => {
              close();
              reject(
                new Error(`No answer within ${Math.round(timeoutMs / 1000)} s: the kernel is busy or gone.`),
              );
            }, timeoutMs)
          : undefined;
        giveUp?.addEventListener("abort", () => {
          if (!open.has(id)) return;
          close();
          reject(new Error("It was stopped."));
          send({ kind: "cancel", id });
        });
        open.set(id, {
          progress,
          settle(reply) {
            close();
            if (reply.kind === question.kind) resolve(reply as ReplyTo<Q>);
            else reject(new Error(reply.kind === "error" ? reply.message : `Not an answer: ${reply.kind}`));
          },
          drop: close,
        });
        try {
          send({ ...question, id } as Asked);
        } catch (error) {
          close();
          reject(new Error(`The kernel is gone, or cannot be reached (${String(error)}).`));
        }
      }),
    receive(reply) {
      const waiting = open.get(reply.id);
      if (reply.kind === "progress") waiting?.progress(reply.share);
      else waiting?.settle(reply);
    },
    stop() {
      for (const { drop } of [...open.values()]) drop();
    },
  };
}
