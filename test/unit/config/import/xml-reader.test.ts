import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readXml } from "../../../../src/config/import/xml-reader.ts";
import { OnArrivalError } from "../../../../src/core/errors.ts";

function read(text: string): string[] {
  const seen: string[] = [];
  readXml(text, {
    open: (name, attributes) => void seen.push(`<${name} ${JSON.stringify([...attributes])}`),
    close: (name) => void seen.push(`/${name}`),
  });
  return seen;
}

test("elements, attributes in both quotes, the five entities, character references and comments are read", () => {
  const text = `<?xml version ="1.0"?>\n<!-- < > -->\n<a.b x="1"\n\ty = '"&lt;&amp;&gt;&apos;&#65;&#x42;'>text<c:d/></a.b >\n`;
  expect(read(text)).toEqual([`<a.b [["x","1"],["y","\\"<&>'AB"]]`, "<c:d []", "/c:d", "/a.b"]);
});

const BILLION_LAUGHS = `<?xml version="1.0"?>
<!DOCTYPE lolz [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>
<lolz>&b;</lolz>`;

describe("hostile and broken files are refused at their line", () => {
  test.each([
    ["the billion laughs", BILLION_LAUGHS, "line 2, column 1: document types, entities"],
    [
      "an external entity",
      '<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
      "line 1, column 1: document types",
    ],
    ["an entity in a value", '<a x="&xxe;"/>', "an entity is used that XML itself does not have"],
    ["half an entity", '<a x="&amp"/>', "an entity is used"],
    ["no character", '<a x="&#0;"/>', "is no character"],
    ["a surrogate", '<a x="&#xD800;"/>', "is no character"],
    ["a CDATA section", "<a><![CDATA[x]]></a>", "line 1, column 4: document types"],
    ["a stylesheet", "<?xml-stylesheet href='x'?><a/>", "processing instructions"],
    ["a later instruction", "<a><?php x ?></a>", "processing instructions are not read"],
    ["an element without end", "<a>\n<b>", "</b> is missing"],
    ["ends in the wrong order", "<a><b></a></b>", "</b> is expected"],
    ["an end alone", "</a>", "</a> ends nothing"],
    ["a second root", "<a/><b/>", "second root element"],
    ["an attribute twice", '<a x="1" x="2"/>', "the attribute x is there twice"],
    ["an attribute without quotes", "<a x=1/>", "not in quotes"],
    ["an attribute without space", `<a x="1"y="2"/>`, "a space is missing before y"],
    ["a value without end", '<a x="1', "the value of x has no end"],
    ["a < in a value", '<a x="<"/>', "holds a <"],
    ["a comment without end", "<!-- <a/>", "a comment has no end"],
    ["nothing", "", "there is no element"],
    ["depth", "<a>".repeat(65), "nested deeper than 64"],
    [
      "attributes",
      `<a ${Array.from({ length: 2001 }, (_, at) => `a${at}=""`).join(" ")}/>`,
      "more than 2000 attributes",
    ],
  ])("%s", (_title, text, problem) => {
    expect(() => read(text)).toThrow(problem);
  });

  test("megabytes that never end are refused in one pass", () => {
    const started = performance.now();
    for (const unit of ["<a>", "<a ", '<a x="', "<!--", "<", "&", "</a", "<a x='&'"]) {
      expect(() => read(unit.repeat(2_000_000 / unit.length))).toThrow(OnArrivalError);
    }
    // A reader that looks back over what it has read would need minutes.
    expect(performance.now() - started).toBeLessThan(5000);
  });

  test("any text is either read or refused with IMPORT_INVALID", () => {
    const piece = fc.constantFrom(
      "<",
      ">",
      "/",
      "a",
      "=",
      '"',
      "'",
      "&",
      ";",
      "!",
      "?",
      "-",
      " ",
      "\n",
      "#x41",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
        try {
          read(pieces.join(""));
        } catch (thrown) {
          expect(thrown).toMatchObject({ code: "IMPORT_INVALID" });
        }
      }),
      { numRuns: 500 },
    );
  });
});
