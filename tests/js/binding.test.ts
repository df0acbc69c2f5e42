import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { bindModel } from "../../js/src/binding.ts";
import { stateReader } from "../../js/src/model.ts";
import { fakeModel } from "./fake.ts";

test("a change is saved at once, then at most every 60 ms, the last value always", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  let now = 0;
  mock.method(performance, "now", () => now);
  const model = fakeModel();
  let drawn = 0;
  const binding = bindModel(model, stateReader(model), () => drawn++);
  binding.change({ vmax: 6 });
  assert.deepEqual(
    model.saved.map((state) => state.vmax),
    [6],
  );
  for (let i = 0; i < 10; i++) binding.change({ vmax: 7 + i });
  assert.equal(model.saved.length, 1);
  now = 60;
  mock.timers.tick(60);
  assert.deepEqual(
    model.saved.map((state) => state.vmax),
    [6, 16],
  );
  assert.equal(drawn, 11);
  mock.timers.reset();
  mock.restoreAll();
});

test("an echo of an older value does not make a dragged slider jump", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const model = fakeModel();
  const binding = bindModel(model, stateReader(model), () => {});
  binding.change({ vmax: 6 });
  binding.change({ vmax: 8 }); // not saved yet
  model.set("vmax", 6); // the echo
  assert.equal(model.get("vmax"), 8);
  binding.stop();
  mock.timers.reset();
});

test("what waits is saved when the view goes, and nothing is heard afterwards", () => {
  const model = fakeModel();
  let drawn = 0;
  const binding = bindModel(model, stateReader(model), () => drawn++);
  binding.change({ vmax: 6 });
  binding.change({ vmax: 7 });
  binding.stop();
  assert.equal(model.saved.at(-1)!.vmax, 7);
  const before = drawn;
  model.set("vmin", -1);
  assert.equal(drawn, before);
});

test("other values come whole, a limit may be followed by the other", () => {
  const model = fakeModel();
  const heard: boolean[] = [];
  const binding = bindModel(model, stateReader(model), (whole) => heard.push(whole));
  model.set("vmin", -1);
  model.set("_values", new DataView(new ArrayBuffer(24)));
  assert.deepEqual(heard, [false, true]);
  binding.stop();
});

test("selected cells travel as labels, clicks as positions", () => {
  const model = fakeModel();
  const binding = bindModel(model, stateReader(model), () => {});
  binding.select([0, 5]);
  assert.deepEqual(model.get("selection"), [
    [0, "attn.q"],
    [1, "mlp.up"],
  ]);
  binding.send({ kind: "click", row: 0, column: 0 });
  assert.deepEqual(model.sent, [{ kind: "click", row: 0, column: 0 }]);
  binding.stop();
});
