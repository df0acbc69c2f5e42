/** A model, a state and a layout for tests. */
import { bindModel } from "../../js/src/binding.ts";
import { createExchange, type Exchange } from "../../js/src/exchange.ts";
import type { GroupRun } from "../../js/src/labels.ts";
import { blockLength, blockStarts, gridLayout, SMALLEST_ROW } from "../../js/src/layout.ts";
import { type State, stateReader } from "../../js/src/model.ts";
import { overviewAlone } from "../../js/src/overview.ts";
import { pageModel } from "../../js/src/standalone.ts";
import type { Model, Traits } from "../../js/src/traits.ts";

export const bytesOf = (numbers: Float32Array | Float64Array | Uint8Array) =>
  new DataView(numbers.buffer, numbers.byteOffset, numbers.byteLength);

/** 2 layers of 3 components, values 0 to 5. */
export function traits(changes: Partial<Traits> = {}): Traits {
  return {
    vmin: 0,
    vmax: 5,
    center: 2.5,
    scale: "linear",
    cmap: "blue-white-orange",
    reverse: false,
    levels: 0,
    components: null,
    layers: null,
    selection: [],
    origin: "lower",
    title: "",
    units: "",
    _picture_code: new DataView(new ArrayBuffer(0)),
    _surroundings_code: new DataView(new ArrayBuffer(0)),
    _values: bytesOf(Float32Array.of(0, 1, 2, 3, 4, 5)),
    _dtype: "f4",
    _shape: [2, 3],
    _absent: new DataView(new ArrayBuffer(0)),
    _layers: 2,
    _components: ["attn.q", "attn.k", "mlp.up"],
    _parameters: { templates: ["h.{layer}.q", null, null] },
    _axes: ["layer", "component"],
    position: {},
    scale_over: "page",
    aggregate: "mean",
    _selectors: [],
    _held: 0,
    _fitted: true,
    _follows: ["title", "units"],
    _lut: new DataView(new ArrayBuffer(0)),
    _lut_diverging: false,
    _notice: "",
    _findings: {},
    ...changes,
  };
}

export interface FakeModel extends Model {
  readonly saved: Record<string, unknown>[];
  readonly sent: unknown[];
  /** A message arrives from the kernel. */
  receive(content: unknown, buffers?: readonly DataView[]): void;
}

export function fakeModel(changes: Partial<Traits> = {}): FakeModel {
  const state = traits(changes);
  const model = pageModel(state as unknown as Record<string, unknown>) as FakeModel;
  const saved: Record<string, unknown>[] = [];
  const sent: unknown[] = [];
  model.save_changes = () => saved.push({ ...state });
  const heard = new Set<(content: unknown, buffers: readonly DataView[]) => void>();
  const { on, off } = model;
  model.on = (event: string, listener: never) =>
    event === "msg:custom" ? void heard.add(listener) : on(event, listener);
  model.off = ((event: string, listener: never) =>
    event === "msg:custom" ? void heard.delete(listener) : off(event, listener)) as Model["off"];
  model.send = (content: unknown) => sent.push(content);
  const receive = (content: unknown, buffers: readonly DataView[] = []) => {
    for (const listener of heard) listener(content, buffers);
  };
  return Object.assign(model, { saved, sent, receive });
}

/** All that stands between a model and its view; `changed` runs when there is something else to draw. */
export function joined(model: Model, changed: () => void = () => {}) {
  let exchange: Exchange | null = null;
  const read = stateReader(model, () => exchange?.farMaker ?? overviewAlone);
  const binding = bindModel(model, read, changed);
  const made = createExchange(model, read, binding.change, changed);
  exchange = made;
  const stop = () => {
    made.stop();
    binding.stop();
  };
  return { read, binding, exchange: made, stop };
}

export const stateOf = (changes: Partial<Traits> = {}): State => stateReader(fakeModel(changes))();

/** The layout of all cells of a grid, layer 0 at the bottom. */
export function layoutOf(
  { rows, columns }: { rows: number; columns: number },
  runs: readonly GroupRun[],
  width: number,
  height: number,
  ratio: number,
) {
  const rowBlock = blockLength(rows, height, ratio, SMALLEST_ROW);
  const columnBlock = blockLength(columns, width, ratio, 1);
  return gridLayout(
    { cells: blockStarts(0, rows, rowBlock, true), block: rowBlock },
    { cells: blockStarts(0, columns, columnBlock, false), block: columnBlock },
    runs,
    width,
    height,
    ratio,
  );
}

/** Until all that follows from what is known has happened. */
export const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

/** A kernel that is asked, and answers when told to: questions by their number. */
export function promises<Question, Answer>() {
  const asked: Question[] = [];
  const open: { answer(answer: Answer): void; fail(error: Error): void; giveUp: AbortSignal }[] = [];
  return {
    asked,
    ask: (question: Question, giveUp: AbortSignal) =>
      new Promise<Answer>((answer, fail) => {
        asked.push(question);
        open.push({ answer, fail, giveUp });
      }),
    answer(at: number, answer: Answer) {
      open[at]!.answer(answer);
      return settled();
    },
    fail(at: number, message: string) {
      open[at]!.fail(new Error(message));
      return settled();
    },
    /** Those that are wanted no more. */
    givenUp: () => asked.filter((_, at) => open[at]!.giveUp.aborted),
  };
}
