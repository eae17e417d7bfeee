import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compiledTesting } from "../support/compiled.ts";

const { closeTestSinks, testCases, testSink } = await compiledTesting();

const EML = "From: a@example.com\nTo: b@example.com\nSubject: =?utf-8?q?gr=C3=BC=C3=9Fe?=\n\nfirst line\n";

let folder = "";
const file = (name: string): string => path.join(folder, name);
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "onarrival-testing-"));
  await writeFile(
    file("tag.ts"),
    `import { cdoSkipRemainingSinks, type ArrivalEvent, type EventStatus, type Message } from "cdo";
    let calls = 0;
    export const binding = { sinkProperties: { Tag: "own" } };
    export default function onArrival(msg: Message, status: EventStatus, event: ArrivalEvent) {
      console.log("call", (calls += 1));
      msg.Subject = event.properties["Tag"] + " " + msg.Subject;
      msg.EnvelopeFields.Item("http://schemas.microsoft.com/cdo/smtpenvelope/recipientlist").Value = "SMTP:c@example.com;";
      msg.EnvelopeFields.Update();
      msg.DataSource.Save();
      status.Value = cdoSkipRemainingSinks;
    }`,
  );
  await writeFile(
    file("throws.js"),
    "function onArrival(msg) {\n  msg.Subject = 'x';\n  throw new Error('no');\n}",
  );
  await writeFile(file("spins.js"), "function onArrival() { for (;;); }");
  await writeFile(
    file("replies.js"),
    "function onArrival(msg) { var r = msg.Reply(); r.From = 'me@example.com'; r.TextBody = 'thanks'; r.Send(); }",
  );
  await writeFile(
    file("asks.ts"),
    `import { kv, type Message } from "cdo";
    export default async function onArrival(msg: Message) {
      const seen = Number((await kv.get("seen")) ?? 0);
      await kv.set("seen", String(seen + 1));
      await kv.delete("old");
      const answer = await fetch("https://api.example.com/score", { method: "POST", body: msg.Subject });
      msg.Subject = answer.status + " " + (await answer.text());
      msg.DataSource.Save();
      await fetch("https://elsewhere.example.com/").catch((error) => console.log(String(error)));
    }`,
  );
  await writeFile(file("broken.ts"), "export default function onArrival( {");
});
afterAll(async () => {
  await closeTestSinks();
  await rm(folder, { recursive: true, force: true });
});

describe("testSink", () => {
  test("answers fetch and kv of the script with what the test has prepared, and tells what it asked for", async () => {
    const results = await Promise.all(
      ["1", "5"].map((seen) =>
        testSink(pathToFileURL(file("asks.ts")), {
          eml: EML,
          fetch: { "POST https://api.example.com/score": { status: 202, body: `score ${seen}` } },
          kv: { seen, old: "x" },
        }),
      ),
    );
    for (const [index, seen] of ["1", "5"].entries()) {
      const result = results[index];
      expect(result?.fault).toBeUndefined();
      expect(result?.header("subject")).toBe(`202 score ${seen}`);
      expect(result?.kv).toEqual({ seen: String(Number(seen) + 1) });
      expect(result?.fetched.map(({ method, url, body }) => [method, url, body.toString()])).toEqual([
        ["POST", "https://api.example.com/score", "grüße"],
        ["GET", "https://elsewhere.example.com/", ""],
      ]);
      expect(result?.logs[0]?.text).toContain("the test has prepared no answer for GET https://elsewhere");
    }
    const without = await testSink(pathToFileURL(file("asks.ts")), { eml: EML });
    expect(without.fault?.message).toContain("allow: { kv: true }");
  });

  test("answers dns with what the test has prepared, and secrets with its values or placeholders", async () => {
    await writeFile(
      file("looks.js"),
      `import { dns, secret } from "cdo";
      const key = secret("API_KEY");
      export default async function onArrival() {
        console.log(key, secret("OTHER"));
        console.log(JSON.stringify(await dns.resolve("example.com", "MX")));
      }`,
    );
    const answers = { "MX example.com": [{ exchange: "mx.example.com", priority: 5 }] };
    const options = { eml: EML, allow: { secrets: ["API_KEY", "OTHER"] }, dns: answers };
    const result = await testSink(file("looks.js"), options);
    expect(result.fault).toBeUndefined();
    expect(result.logs.map(({ text }) => text)).toEqual([
      "secret-API_KEY secret-OTHER",
      JSON.stringify(answers["MX example.com"]),
    ]);
    const given = await testSink(file("looks.js"), { ...options, secrets: { API_KEY: "k" } });
    expect(given.logs[0]?.text).toBe("k secret-OTHER");
    const unprepared = await testSink(file("looks.js"), { ...options, dns: {} });
    expect(unprepared.fault?.message).toContain("the test has prepared no answer for MX example.com");
    const nothing = await testSink(file("looks.js"), { eml: EML });
    expect(nothing.fault?.message).toContain('allow: { secrets: ["API_KEY"] }');
  });

  test("answers what the next sink would find", async () => {
    const result = await testSink(pathToFileURL(file("tag.ts")), { eml: EML });
    expect(result).toMatchObject({
      verdict: 1,
      status: 0,
      sender: "a@example.com",
      recipients: ["c@example.com"],
      text: "first line\n",
      html: undefined,
      attachments: [],
      unchanged: false,
      sent: [],
      fault: undefined,
    });
    expect(result.header("subject")).toBe("own grüße");
    expect(result.header("x-none")).toBeUndefined();
    expect(result.headers.map(([name]) => name)).toEqual(["From", "To", "Subject"]);
    expect(result.message.toString()).toMatch(/^From: a@example\.com\r\n[^]*\r\n\r\nfirst line\r\n$/);
    expect(result.micros).toBeGreaterThan(0);
  });

  test("takes envelope and properties as given, and keeps the context warm unless told otherwise", async () => {
    const options = {
      eml: EML,
      properties: { Tag: "given" },
      envelope: { sender: "", clientAddress: "192.0.2.1" },
    };
    const first = await testSink(file("tag.ts"), options);
    const second = await testSink(file("tag.ts"), options);
    const fresh = await testSink(file("tag.ts"), { ...options, cacheable: false });
    expect([first.sender, first.header("Subject")]).toEqual(["", "given grüße"]);
    const count = ({ logs }: typeof first): number => Number(logs[0]?.text.split(" ")[1]);
    expect(count(second)).toBe(count(first) + 1);
    expect(count(fresh)).toBe(1);
  });

  test("a script that throws has changed nothing, and the fault names its line", async () => {
    const result = await testSink(file("throws.js"), { eml: EML });
    expect(result.fault).toMatchObject({
      kind: "throw",
      message: expect.stringMatching(/^throws\.js:3:\d+: .*no/),
    });
    expect([result.unchanged, result.header("Subject")]).toEqual([true, "grüße"]);
  });

  test("limits hold as they do in the service", async () => {
    const result = await testSink(file("spins.js"), { eml: EML, limits: { cpuMs: 50, timeoutMs: 50 } });
    expect(result.fault?.kind).toBe("timeout");
  });

  test("what a script sends is shown when it is granted, and is a fault when it is not", async () => {
    const granted = await testSink(file("replies.js"), { eml: EML, allow: { send: true } });
    expect(granted.sent).toMatchObject([{ recipients: ["a@example.com"] }]);
    expect(granted.sent[0]?.message.toString()).toContain("thanks");
    const refused = await testSink(file("replies.js"), { eml: EML });
    expect(refused.fault?.message).toContain("allow");
  });

  test("a script that is broken, and one that is not there, reject with the reason", async () => {
    await expect(testSink(file("broken.ts"), { eml: EML })).rejects.toThrow(/broken\.ts:1:/);
    await expect(testSink(file("absent.ts"), { eml: EML })).rejects.toThrow("no such script");
    await expect(testSink(file("tag.ts"), { eml: pathToFileURL(file("absent.eml")) })).rejects.toThrow(
      "absent.eml",
    );
  });

  test("a script that was saved anew runs as it is now", async () => {
    await writeFile(file("edited.js"), "function onArrival(msg) { console.log('old') }");
    expect((await testSink(file("edited.js"), { eml: EML })).logs[0]?.text).toBe("old");
    await writeFile(file("edited.js"), "function onArrival(msg) { console.log('the new one') }");
    expect((await testSink(file("edited.js"), { eml: EML })).logs[0]?.text).toBe("the new one");
  });

  test("a script whose import was saved anew runs with it as it is now, or says what is wrong with it", async () => {
    await writeFile(file("word.js"), "export const word = 'old';");
    await writeFile(
      file("importing.js"),
      "import { word } from './word.js'; export default function onArrival() { console.log(word) }",
    );
    const logged = async (): Promise<string | undefined> =>
      (await testSink(file("importing.js"), { eml: EML })).logs[0]?.text;
    expect(await logged()).toBe("old");
    await writeFile(file("word.js"), "export const word = 'the new one';");
    expect(await logged()).toBe("the new one");
    await writeFile(file("word.js"), "export const word = ;");
    await expect(logged()).rejects.toThrow(/word\.js:1:/);
    await rm(file("word.js"));
    await expect(logged()).rejects.toThrow("word.js");
    await writeFile(file("word.js"), "export const word = 'there again';");
    expect(await logged()).toBe("there again");
  });
});

describe("testCases", () => {
  test("passes when the cases beside the script do, and names the one that does not", async () => {
    await writeFile(file("cased.js"), "export default function (msg) { console.log(msg.Subject) }");
    const caseOf = (log: string): string =>
      `export const cases = [{ name: "it logs", message: "Subject: s\\n\\n", expect: { log: "${log}" } }];`;
    await writeFile(file("cased.test.js"), caseOf("s"));
    await testCases(file("cased.js"));
    await writeFile(file("cased.test.js"), caseOf("other"));
    await expect(testCases(file("cased.js"))).rejects.toThrow("it logs");
    // A script under work is tried all the same.
    expect((await testSink(file("cased.js"), { eml: EML })).fault).toBeUndefined();
  });
});
