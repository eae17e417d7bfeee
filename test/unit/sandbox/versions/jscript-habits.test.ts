// What a script of the original brings along is either served or named together with its fix.
import { fileURLToPath } from "node:url";
import { tmpdir } from "node:os";
import { describe, expect, test } from "vitest";
import { type CompileAnswer, compileScript } from "../../../../src/sandbox/versions/compiler.ts";

const cdoModule = fileURLToPath(new URL("../../../../runtime/cdo/constants.ts", import.meta.url));
const compile = (text: string, name = "sink.js"): Promise<CompileAnswer> =>
  compileScript({ folder: tmpdir(), name, text, cdoModule });
const refusal = async (text: string): Promise<string> => {
  const answer = await compile(text);
  return answer.kind === "failed" ? answer.message : "compiled";
};

describe("reported with the line and the fix", () => {
  test.each([
    ["an assignment to a call", 'msg.Fields("urn:x") = "y";', /^sink\.js:2:\d+: .*add \.Value/],
    ["an assignment to Item()", 'msg.Fields.Item("urn:x") = "y";', /^sink\.js:2:\d+: .*add \.Value/],
    ["VBArray", "var names = new VBArray(x).toArray();", /^sink\.js:2:17: VBArray .*JavaScript arrays/],
    ["a comment with @cc_on", "/*@cc_on @*/", /^sink\.js:2:1: conditional compilation/],
    ["a line comment with @if", "//@if (@_jscript) msg.Subject = 1 @end", /^sink\.js:2:1: conditional/],
    ["a call without parentheses", "msg.DataSource.Save;", /^sink\.js:2:1: .*write \.Save\(\)$/],
    [
      "one behind arguments",
      '  if (x) msg.Fields("a").Update // as it was',
      /^sink\.js:2:1: .*\.Update\(\)$/,
    ],
    [
      "one in other letters",
      "/* msg.Send; */ x = 2;\nanswer.send",
      /^sink\.js:3:1: a call has parentheses: write \.send\(\)$/,
    ],
    [
      "an assigned status",
      "if (x) { status = cdoSkipRemainingSinks; }",
      /^sink\.js:2:1: status is an object here: write status\.Value = cdoSkipRemainingSinks/,
    ],
    ["a bare @if", "@if (@_jscript)", /^sink\.js:2:\d+: .*conditional compilation/],
  ])("%s", async (_name, line, expected) => {
    expect(await refusal(`function onArrival(msg, status) { var x = 1;\n${line}\n}`)).toMatch(expected);
  });

  test.each([
    [
      "JScript's Interface::Method",
      "function ISMTPOnArrival::OnArrival(msg, status) { }",
      /ISMTPOnArrival_OnArrival/,
    ],
    [
      "the <SCRIPT> element",
      '<SCRIPT LANGUAGE="JScript">\nfunction onArrival() {}\n</SCRIPT>',
      /without the <SCRIPT>/,
    ],
    ["VBScript", "Sub ISMTPOnArrival_OnArrival(ByVal Msg, EventStatus)\nEnd Sub", /looks like VBScript/],
    ["VBScript's Set", "Dim fields\nSet fields = Msg.EnvelopeFields", /looks like VBScript/],
    [
      "an assigned status behind another variable of its name",
      "function rank() {\nlet status;\nstatus = 1;\nreturn status; }\nfunction ISMTPOnArrival_OnArrival(msg, status) {\nif (rank())\nstatus = 1; }",
      /^sink\.js:7:1: status is an object here/,
    ],
  ])("%s", async (_name, text, expected) => {
    expect(await refusal(text)).toMatch(expected);
  });

  test("a line of any length is looked at once", async () => {
    expect(await refusal(`sub a${" ".repeat(500_000)}x`)).toMatch(/^sink\.js:1:5: /);
  });

  test("several lines at once", async () => {
    expect(await refusal('function onArrival(msg) {\nmsg.Fields("a") = 1;\nmsg.Fields("b") = 2;\n}')).toMatch(
      /^sink\.js:2:.*\(and 1 more: line 3\)$/,
    );
  });
});

describe("left alone", () => {
  test.each([
    ["a comparison of a call", 'function onArrival(msg) { return msg.Fields("x") == 1 ? 0 : 1 }'],
    ["a name VBArray of its own", "function onArrival() { var VBArray = 1; return VBArray - 1 }"],
    ["VBArray in a text", 'function onArrival() { console.log("VBArray"); }'],
    ["calls", "function onArrival(msg) { msg.Fields\n.Update\n(); msg.DataSource.Save(); }"],
    [
      "a method that is used",
      "function onArrival(msg) { const save = msg.DataSource.Save; return save.length; }",
    ],
    ["a comment", "function onArrival(msg) {\n/*\nmsg.DataSource.Save;\n*/ }"],
    [
      "a status of its own",
      "function onArrival(msg, status) { let found; found = 1; status.Value = 1; }\nfunction other() { var status; status = 2; }",
    ],
    [
      "a variable of the status's name in another function",
      "function onArrival(msg, status) { if (rank(msg)) status.Value = 1; }\nfunction rank(msg) {\nlet status = 0;\nif (msg.To) status = 1;\nreturn status;\n}",
    ],
    [
      "a status that is made a variable and returned",
      "function onArrival(msg, status) { status = 0; if (msg.To) status = cdoSkipRemainingSinks; return status; }",
    ],
    ["a plain file of global functions", "var count = 0;\nfunction onArrival(msg, status) { count++; }"],
    ["the original's entry point", "function ISMTPOnArrival_OnArrival(Msg, Status) { Status.Value = 0; }"],
    ["a decorator-like word in a comment", "/* @param msg the message */ function onArrival(msg) {}"],
  ])("%s", async (_name, text) => {
    expect(await refusal(text)).toBe("compiled");
  });
});

describe("eval and CommonJS are told apart", () => {
  test("a plain script with eval compiles as it is", async () => {
    expect(await refusal('function onArrival(msg) { eval("msg.Subject = 1"); }')).toBe("compiled");
  });

  test.each(["module.exports = function () {};", "exports.onArrival = () => 0;"])(
    "%s is refused with the way that is served",
    async (line) => {
      expect(await refusal(`${line}\nfunction onArrival(msg) {}`)).toMatch(/CommonJS .*use export default/);
    },
  );
});
