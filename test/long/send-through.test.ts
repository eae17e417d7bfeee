// cdoSendUsingPort: mail of a script goes to the server that it names, over a restart too, and nowhere else.
import { expect, test } from "vitest";
import { startCaptureServer } from "../support/capture-server.ts";
import { startService } from "../support/service.ts";
import { serviceConfig } from "../support/service-config.ts";
import { plainMessage, send } from "../support/smtp-client.ts";

const script = (port: number): string => `function onArrival(msg) {
  const mail = new CDO.Message();
  mail.From = "robot@example.com";
  mail.To = "local@example.com, far@example.net";
  mail.Subject = "through";
  mail.TextBody = "text";
  const fields = mail.Configuration.Fields;
  fields(cdoSendUsingMethod).Value = cdoSendUsingPort;
  fields(cdoSMTPServer).Value = "127.0.0.1";
  fields(cdoSMTPServerPort).Value = ${port};
  fields.Update();
  mail.Send();
}`;

test("a message waits for the server that the script named, over a restart, and goes there with all recipients", async () => {
  await using hub = await startCaptureServer();
  await using named = await startCaptureServer();
  const { port } = named;
  await named.stop();
  await using service = await startService({
    scripts: { "send.js": script(port) },
    config: serviceConfig({
      smartHostPort: hub.port,
      localDomains: ["localhost", "example.com"],
      // These are for the smart host: a server that a script names never sees them.
      delivery: { startTls: "never", auth: { user: "relay", password: "secret" } },
      server: { retry: { glitchRetries: 100, glitchIntervalMs: 200, intervalsMinutes: [0.005] } },
      bindings: [
        {
          event: "OnArrival",
          sinkClass: "CDO.SS_SMTPOnArrivalSink",
          sinkProperties: { ScriptName: "send.js" },
          sourceProperties: { rule: "RCPT TO=start@example.com" },
          allow: { smtp: [`127.0.0.1:${port}`] },
        },
      ],
    }),
  });
  await send(service.port, { to: "start@example.com", data: plainMessage("start") });
  await service.logged(
    new RegExp(`unreachable.*127\\.0\\.0\\.1:${port}|127\\.0\\.0\\.1:${port}.*(?:unreachable|ECONNREFUSED)`),
  );
  await service.restart("SIGKILL");
  await named.listen();
  const [message] = await named.received(1);
  expect(message).toMatchObject({ from: "robot@example.com", to: ["local@example.com", "far@example.net"] });
  expect(message?.content.toString()).toMatch(/^Subject: through\r$/m);
  expect(named.commands).not.toContain("AUTH");
  expect(hub.messages).toEqual([]);
  expect((await service.dropped(1)).map(({ content }) => content.toString())).toEqual([
    expect.stringContaining("Subject: start"),
  ]);
});
