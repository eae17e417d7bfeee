// URL, URLSearchParams and TextDecoder inside of an isolate: while loading, in a call, and against their limits.
import { afterAll, beforeAll, expect, test } from "vitest";
import { script, WorkerUnderTest } from "./support.ts";

let worker: WorkerUnderTest;
beforeAll(async () => {
  worker = await WorkerUnderTest.start();
});
afterAll(() => worker.stop());

const said = async (source: string): Promise<string[]> => {
  const { outcome } = await worker.run(source);
  expect(outcome.fault).toBeUndefined();
  return outcome.logs.map((line) => line.text);
};

test("they are there while the script is loaded, and in each call", async () => {
  expect(
    await said(`
      const base = new URL("https://GRÜSSE.example/a/?x=1");
      const text = new TextDecoder("shift_jis").decode(Uint8Array.of(0x83, 0x65));
      export default (msg) => {
        const url = new URL("../hook", base);
        url.searchParams.set("from", msg.From);
        console.log(url.href, url instanceof URL, URL.canParse("no"), text);
        console.log(new TextDecoder("koi8-r").decode(Uint8Array.of(0xd0)), new URLSearchParams({ a: 1 }).toString());
        try { new URL("no") } catch (error) { console.log(error instanceof TypeError) }
        try { new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.of(255)) } catch (error) { console.log(error.name) }
      }`),
  ).toEqual([
    "https://xn--grsse-lva.example/hook?from=Ann+%3Cann%40example.com%3E true false テ",
    "п a=1",
    "true",
    "TypeError",
  ]);
});

test("R: a flood of them while loading ends, and in a call counts as host calls and copied bytes", async () => {
  const flood = `for (;;) new URL("https://h.example/" + "x".repeat(1000)); function onArrival() {}`;
  expect((await worker.load(flood, { inspectOnly: true })).fault?.message).toMatch(/refuses|in time/);
  const calls = await worker.run(script(`for (let i = 0; i < 100; i++) new URL("https://h.example")`), {
    limits: { hostCalls: 50 },
  });
  expect(calls.outcome.fault).toMatchObject({ kind: "limit", message: expect.stringContaining("hostCalls") });
  const bytes = await worker.run(script(`new TextDecoder("big5").decode(new Uint8Array(1000))`), {
    limits: { copiedBytes: 999 },
  });
  expect(bytes.outcome.fault).toMatchObject({
    kind: "limit",
    message: expect.stringContaining("copiedBytes"),
  });
});

test("X: a script that patches what is below them reaches nothing of the host", async () => {
  const [told] = await said(
    script(`String.prototype.split = function () { return ["x"] }; Array.prototype.slice = () => 1;
    Object.defineProperty(Object.prototype, "get", { value: 1, configurable: true });
    try { console.log(typeof new URL("https://h.example").href, Object.isFrozen(URL.prototype)) } catch (e) { console.log("string", e.name) }`),
  );
  expect(told).toMatch(/^string/);
});
