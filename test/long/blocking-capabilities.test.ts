// What scripts save, open and fetch in the real service, as its configuration grants it.
import { mkdir, readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { startService } from "../support/service.ts";
import { serviceConfig } from "../support/service-config.ts";
import { plainMessage, send } from "../support/smtp-client.ts";

const SCRIPT = `export default function onArrival(msg) {
  const messages = new CDO.DropDirectory().GetMessages();
  const subjects = [...messages].map((message) => message.Subject).join();
  const list = new ActiveXObject("ADODB.Stream");
  list.Charset = "us-ascii"; list.Open(); list.WriteText(subjects); list.SaveToFile("out/subjects.txt", adSaveCreateOverWrite);
  messages.DeleteAll();
  msg.CreateMHTMLBody(msg.TextBody.trim());
  msg.DataSource.Save();
}`;

test("a script lists and empties Drop, saves a file, and sends a page of the network on", async () => {
  const server = createServer((request, response) =>
    request.url === "/page.html"
      ? response.writeHead(200, { "content-type": "text/html" }).end('<p>page</p><img src="a.png">')
      : response.writeHead(200, { "content-type": "image/png" }).end("png"),
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it listens on a port
  const site = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  try {
    await using service = await startService({
      scripts: { "s.js": SCRIPT },
      config: serviceConfig({
        localDomains: ["localhost", "example.com"],
        bindings: [
          {
            event: "OnArrival",
            sinkClass: "CDO.SS_SMTPOnArrivalSink",
            sinkProperties: { ScriptName: "s.js" },
            sourceProperties: { rule: "RCPT TO=script@example.com" },
            allow: { drop: true, write: ["out/*.txt"], fetch: [site] },
            limits: { timeoutMs: 10_000 },
          },
        ],
      }),
    });
    await mkdir(join(service.scriptsFolder, "out"));
    await send(service.port, { to: "other@example.com", data: plainMessage("first") });
    await service.dropped(1);
    await send(service.port, {
      to: "script@example.com",
      data: `Subject: second\r\n\r\n${site}page.html\r\n`,
    });
    const files = await eventually(async () => {
      const found = await service.drop();
      return found.some(({ content }) => content.includes("Subject: second")) && found;
    });
    expect(files).toHaveLength(1);
    const text = files[0]?.content.toString() ?? "";
    expect(text).toContain(`<p>page</p><img src="${site}a.png">`);
    expect(text).toMatch(new RegExp(`^Content-Location: ${site}a\\.png\r$`, "m"));
    expect(await readFile(join(service.scriptsFolder, "out/subjects.txt"), "utf8")).toBe("first");
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
