// AddAttachment, AddRelatedBodyPart and CreateMHTMLBody with pages of the network and files, through the real script host,
// the real broker and a real HTTP server.
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { simpleParser } from "mailparser";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Capabilities } from "../../../runtime/contract.ts";
import { systemClock } from "../../../src/core/clock.ts";
import { silentLogger } from "../../../src/core/logger.ts";
import { createCapabilityBroker, type ServiceBroker } from "../../../src/sandbox/capabilities/broker.ts";
import { type GrantingHost, MESSAGE, startGrantingHost } from "./granting-host.ts";
import { DEFAULT_BROKER_SETTINGS } from "../../support/default-settings.ts";

const PNG = Buffer.from("89504e470d0a1a0a", "hex");
const PAGE = `<html><head><title>t <img src="no.png"></title><link rel=stylesheet href='style.css'><base target=_top>
<style>body { background: url(img/back.png) }</style></head>
<body background="img/back.png"><!-- <img src="comment.png"> -->
<img src="img/a.png"> <IMG SRC=img/a.png?x=1&amp;y=2> <img src="cid:keep"> <img src="img/missing.png">
<a href="next.html#top">next</a> <a href="#here">here</a> <a href="mailto:a@example.com">mail</a>
<iframe src="frame.html"></iframe><bgsound src=sound.wav><p>Grüße</p></body></html>`;
const FILES: Readonly<Record<string, readonly [type: string, body: string | Buffer]>> = {
  "/site/page.html": ["text/html; charset=utf-8", PAGE],
  "/site/latin.html": [
    "text/html",
    Buffer.from('<meta charset="iso-8859-1"><p>Gr\u00fc\u00dfe</p>', "latin1"),
  ],
  "/site/style.css": ["text/css", '@import "more.css"; p { background: url( "img/css.png" ) }'],
  "/site/more.css": ["text/css", "b { color: red }"],
  "/site/frame.html": [
    "text/html",
    '<p>frame</p><img src="img/framed.png"><iframe src="frame.html"></iframe>',
  ],
  "/site/sound.wav": ["audio/wav", "RIFF"],
  "/site/img/a.png": ["image/png", PNG],
  "/site/img/back.png": ["image/png", PNG],
  "/site/img/css.png": ["image/png", PNG],
  "/site/img/framed.png": ["image/png", PNG],
  "/site/Gr%C3%BC%C3%9Fe.txt": ["text/plain; charset=utf-8", "hello"],
  "/site/report": ["application/pdf", "%PDF"],
  "/site/multi": ["multipart/mixed; boundary=x", "--x--"],
};

let server: Server;
let site = "";
let host: GrantingHost;
let broker: ServiceBroker;
const asked: string[] = [];
let allow: Capabilities;

beforeAll(async () => {
  server = createServer((request, response) => {
    const url = request.url ?? "";
    asked.push(url);
    const found = FILES[url.replace(/\?.*/, "")];
    if (url === "/site/secret" && request.headers.authorization !== `Basic ${btoa("ann:pass word")}`)
      response.writeHead(401).end();
    else if (url === "/site/secret") response.writeHead(200, { "content-type": "text/plain" }).end("secret");
    else if (url === "/site/broken") response.writeHead(500).end();
    else if (url === "/site/slow") setTimeout(() => response.end("late"), 3000).unref();
    else if (found === undefined) response.writeHead(404).end();
    else response.writeHead(200, { "content-type": found[0] }).end(found[1]);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it listens on a port
  site = `http://127.0.0.1:${(server.address() as AddressInfo).port}/site/`;
  allow = { fetch: [site] };
  host = await startGrantingHost((root) => {
    broker = createCapabilityBroker({
      settings: {
        ...DEFAULT_BROKER_SETTINGS,
        fetch: { ...DEFAULT_BROKER_SETTINGS.fetch, privateNetworks: ["127.0.0.0/8"] },
      },
      kvFolder: path.join(root, "kv"),
      clock: systemClock,
      log: silentLogger,
      userAgent: "OnArrival/test",
    });
    return { broker };
  });
  await mkdir(path.join(host.folder, "pages/img"), { recursive: true });
  await writeFile(
    path.join(host.folder, "pages/index.html"),
    '<img src="img/logo.png"><img src="../secret.png">',
  );
  await writeFile(path.join(host.folder, "pages/img/logo.png"), PNG);
});
afterAll(async () => {
  await host[Symbol.asyncDispose]();
  await broker.close();
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  asked.length = 0;
});

const structureOf = (message: string): string[] =>
  message.split("\r\n").flatMap((line) => /^Content-Type: ([^;\s]+)/i.exec(line)?.[1] ?? []);
const locationsOf = (message: string): string[] =>
  message
    .split("\r\n")
    .flatMap((line) => /^Content-Location:\s*(\S+)/i.exec(line.replace(site, "SITE/"))?.[1] ?? []);
const unfolded = (message: string): string => message.replaceAll(/\r\n[ \t]+/g, " ");

describe("AddAttachment of a page", () => {
  test("takes type, charset and name from what was fetched", async () => {
    const { said, message } = await host.run(
      `const p = msg.AddAttachment("${site}Gr%C3%BC%C3%9Fe.txt"); console.log(p.FileName, p.ContentMediaType, p.Charset); msg.AddAttachment("${site}report"); msg.DataSource.Save()`,
      allow,
    );
    expect(said).toEqual(["Grüße.txt text/plain utf-8"]);
    const { attachments } = await simpleParser(Buffer.from(message));
    expect(attachments.map(({ filename, content }) => [filename, content.toString()])).toEqual([
      ["Grüße.txt", "hello"],
      ["report", "%PDF"],
    ]);
    expect(structureOf(message)).toEqual(["multipart/mixed", "text/plain", "text/plain", "application/pdf"]);
  });

  test("gives user name and password to the server that asks for them", async () => {
    const { said } = await host.run(
      `const p = msg.AddAttachment("${site}secret", "ann", "pass word"); console.log(p.GetDecodedContentStream().ReadText()); msg.AddAttachment("${site}secret")`,
      allow,
    );
    expect(said.slice(0, 2)).toEqual(["secret", expect.stringMatching(/^CDO_E_HTTP_FORBIDDEN .*401/)]);
  });

  test("a page that calls itself a multipart is an attachment of no known type", async () => {
    const { said } = await host.run(`console.log(msg.AddAttachment("${site}multi").ContentMediaType)`, allow);
    expect(said[0]).toBe("application/octet-stream");
  });

  test("AddRelatedBodyPart stands beside the HTML", async () => {
    const { message } = await host.run(
      `msg.HTMLBody = "<img src=cid:x>"; msg.AddRelatedBodyPart("${site}img/a.png", "x", cdoRefTypeId); msg.DataSource.Save()`,
      allow,
    );
    expect(message).toMatch(/^Content-ID: <x>\r$/m);
    expect(structureOf(message)).toContain("multipart/related");
  });

  test.each<[string, string, RegExp, object?]>([
    ["without the capability", `page.html`, /^CDO_E_NOT_AVAILABLE .*allow\.fetch/, {}],
    ["what no beginning covers", `../other`, /^CDO_E_UNSAFE_OPERATION .*allow\.fetch/],
    ["what is not there", `none`, /^CDO_E_HTTP_NOT_FOUND .*404/],
    ["what the server fails at", `broken`, /^CDO_E_HTTP_FAILED .*500/],
  ])("is refused %s, and the message stays as it was", async (_what, name, expected, grant = allow) => {
    const { said, message } = await host.run(
      `msg.AddAttachment("${site}${name}"); msg.DataSource.Save()`,
      grant,
    );
    expect(said).toEqual([expect.stringMatching(expected)]);
    expect(message).toBe(MESSAGE);
  });

  test("a URL that no request can hold is refused, and its process goes on", async () => {
    const { said } = await host.run(
      `const first = (f) => { try { f() } catch (e) { console.log(e.name) } };
       first(() => msg.AddAttachment("${site}" + "\\u0001".repeat(20000)));
       first(() => new CDO.DropDirectory().GetMessages("\\u0001".repeat(20000)))`,
      { ...allow, drop: true },
    );
    // There is no service around this host, and so no Drop.
    expect(said).toEqual(["CDO_E_ARGUMENT1", "CDO_E_NO_DEFAULT_DROP_DIR"]);
  });

  test("a server that does not answer ends with the time of the script", async () => {
    const started = performance.now();
    const { said, message } = await host.run(`msg.AddAttachment("${site}slow")`, allow, {
      limits: { timeoutMs: 300 },
    });
    expect(said).toEqual([expect.stringMatching(/^CDO_E_HTTP_FAILED .*limits\.timeoutMs/)]);
    expect(message).toBe(MESSAGE);
    expect(performance.now() - started).toBeLessThan(2500);
  });
});

describe("CreateMHTMLBody", () => {
  const MAKE = (url: string, more = ""): string =>
    `msg.CreateMHTMLBody("${url}"${more}); msg.DataSource.Save()`;

  test("makes the page the body, with each resource once as a related part named by its location", async () => {
    const { said, message } = await host.run(MAKE(`${site}page.html`), allow);
    expect(structureOf(message).slice(0, 2)).toEqual(["multipart/related", "text/html"]);
    expect(locationsOf(unfolded(message))).toEqual(
      [
        "page.html",
        "more.css",
        "img/css.png",
        "style.css",
        "img/back.png",
        "img/a.png",
        "img/a.png?x=1&y=2",
        "img/framed.png",
        "frame.html",
        "sound.wav",
      ].map((name) => `SITE/${name}`),
    );
    expect(asked.filter((url) => url === "/site/img/back.png")).toHaveLength(1);
    expect(said).toEqual([
      expect.stringMatching(/^CreateMHTMLBody left .*missing\.png outside of the message: .*404/),
    ]);
    const { html = "" } = await simpleParser(Buffer.from(message));
    expect(html).toContain(`<img src="${site}img/a.png"> <IMG SRC="${site}img/a.png?x=1&amp;y=2">`);
    expect(html).toContain(`<img src="cid:keep"> <img src="${site}img/missing.png">`);
    expect(html).toContain(`href="${site}next.html#top"`);
    expect(html).toContain(`<a href="#here">here</a> <a href="mailto:a@example.com">`);
    expect(html).toContain(`<!-- <img src="comment.png"> -->`);
    expect(html).toContain(`url("${site}img/back.png")`);
    expect(html).toContain("<p>Grüße</p>");
  });

  test("leaves out what the flags suppress; its references become absolute", async () => {
    const { message } = await host.run(MAKE(`${site}page.html`, ", cdoSuppressAll"), allow);
    expect(asked).toEqual(["/site/page.html"]);
    expect(structureOf(message)).toEqual(["text/html"]);
    const without = await host.run(
      MAKE(`${site}page.html`, ", cdoSuppressImages + cdoSuppressFrames"),
      allow,
    );
    expect(locationsOf(unfolded(without.message))).toEqual([
      "SITE/page.html",
      "SITE/more.css",
      "SITE/style.css",
      "SITE/sound.wav",
    ]);
  });

  test("a new message gets a plain text of the page", async () => {
    const { said } = await host.run(
      `const m = new CDO.Message(); m.CreateMHTMLBody("${site}latin.html"); console.log(m.TextBody, m.BodyPart.ContentMediaType, m.BodyPart.BodyParts.Count);
       const n = new CDO.Message(); n.CreateMHTMLBody("${site}page.html", 30); console.log(n.BodyPart.ContentMediaType, n.BodyPart.BodyParts(2).ContentMediaType)`,
      allow,
    );
    expect(said.filter((line) => !line.startsWith("CreateMHTMLBody"))).toEqual([
      "Grüße multipart/alternative 2",
      "multipart/alternative multipart/related",
    ]);
  });

  test("replaces both bodies and their pictures, and keeps the attachments", async () => {
    const code = `msg.HTMLBody = "<img src=cid:x>"; msg.AddRelatedBodyPart("${site}img/a.png", "x", 0); msg.AddAttachment("${site}report");
      msg.CreateMHTMLBody("${site}latin.html"); console.log(msg.TextBody + "|" + msg.HTMLBody); msg.DataSource.Save()`;
    const { said, message } = await host.run(code, allow);
    expect(said).toEqual(['|<meta charset="iso-8859-1"><p>Grüße</p>']);
    expect(structureOf(message)).toEqual(["multipart/mixed", "text/html", "application/pdf"]);
  });

  test("takes a page of the script folder with the files that are granted", async () => {
    const { said, message } = await host.run(MAKE("pages/index.html"), { read: ["pages/**"] });
    expect(structureOf(message)).toEqual(["multipart/related", "text/html", "image/png"]);
    expect(locationsOf(message)).toEqual(["file:///pages/index.html", "file:///pages/img/logo.png"]);
    expect(said).toEqual([expect.stringMatching(/secret\.png outside of the message: .*allow/)]);
  });

  test("embeds as many resources as limits.requests allow, and leaves the others absolute", async () => {
    const { fault, said, message } = await host.run(MAKE(`${site}page.html`), allow, {
      limits: { requests: 3 },
    });
    expect(fault).toBeUndefined();
    expect(asked).toHaveLength(3);
    expect(said.at(-1)).toMatch(/outside of the message: limits\.requests/);
    expect(unfolded(message)).toContain("multipart/related");
  });

  test.each<[string, string, RegExp, object?]>([
    ["without the capability", `"SITEpage.html"`, /^CDO_E_NOT_AVAILABLE .*allow\.fetch/, {}],
    ["a page that is none", `"SITEreport"`, /^CDO_E_INVALID_CONTENT_TYPE .*application\/pdf/],
    ["a page that is not there", `"SITEnone.html"`, /^CDO_E_HTTP_NOT_FOUND /],
    ["unknown flags", `"SITEpage.html", 32`, /^CDO_E_ARGUMENT2 .*0 to 31/],
    ["ftp", `"ftp://example.com/x"`, /^CDO_E_NOT_AVAILABLE .*ftp/],
    ["no host", `"http:///x"`, /^CDO_E_ARGUMENT1 /],
    ["nothing", `""`, /^CDO_E_ARGUMENT1 /],
  ])("is refused for %s, and the message stays as it was", async (_what, call, expected, grant = allow) => {
    const code = `msg.CreateMHTMLBody(${call.replace("SITE", site)}); msg.DataSource.Save()`;
    const { said, message } = await host.run(code, grant);
    expect(said).toEqual([expect.stringMatching(expected)]);
    expect(message).toBe(MESSAGE);
  });
});
