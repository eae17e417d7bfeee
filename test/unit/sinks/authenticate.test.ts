import { describe, expect, test } from "vitest";
import { Lookup } from "../../../src/authentication/lookup.ts";
import { loadVerifier } from "../../../src/authentication/verification.ts";
import { systemClock } from "../../../src/core/clock.ts";
import type { Origin } from "../../../src/core/envelope.ts";
import { silentLogger } from "../../../src/core/logger.ts";
import { messageStatus, sinkResult } from "../../../src/core/status.ts";
import { type SinkProperties, createBinding } from "../../../src/events/binding.ts";
import { createPropertyBag } from "../../../src/events/sink.ts";
import { MailMsg } from "../../../src/message/mail-msg.ts";
import type { PropertyValue } from "../../../src/message/properties.ts";
import { createAuthenticateSink } from "../../../src/sinks/authenticate.ts";
import { type Zone, zoneResolver } from "../../support/dns-zone.ts";
import { rsaKey } from "../../support/signing-keys.ts";
import { allocPropertyIds } from "../../support/property-ids.ts";
import {
  FOREIGN,
  MESSAGE,
  contentOf,
  entryOf,
  signedText,
} from "../authentication/authentication-testing.ts";

const ZONE: Zone = {
  "example.com": { TXT: ["v=spf1 ip4:192.0.2.1 -all"] },
  "_dmarc.example.com": { TXT: ["v=DMARC1; p=reject"] },
  "_dmarc.soft.example": { TXT: ["v=DMARC1; p=quarantine"] },
};
const STRANGER: Origin = {
  via: "smtp",
  arrivalTime: 0,
  server: "inbound",
  clientAddress: "192.0.2.1",
  heloDomain: "out.example.com",
};

interface Choices {
  readonly origin?: Partial<Origin>;
  readonly sender?: string;
  readonly header?: string;
  readonly from?: string;
  readonly properties?: SinkProperties;
  /** The whole message. */
  readonly text?: string;
  readonly zone?: Zone;
}

async function authenticated(
  choices: Choices = {},
): Promise<{ msg: MailMsg; answer: unknown; asked: string[] }> {
  const { resolve, asked } = zoneResolver(choices.zone ?? ZONE);
  const lookup = new Lookup(resolve, { cacheMs: 1000, maxEntries: 100 }, systemClock);
  const verify = await loadVerifier(lookup, systemClock);
  const sink = createAuthenticateSink({ verify, hostNameOf: (server) => `${server}.example.net` });
  const { header = "", from = "a@example.com", sender = "a@example.com" } = choices;
  const msg = new MailMsg(
    "ID",
    { ...STRANGER, ...choices.origin },
    { sender, recipients: [{ address: "b@example.net" }] },
    contentOf(choices.text ?? `${header}From: ${from}\r\nSubject: x\r\n\r\nbody\r\n`),
  );
  const answer = await sink.onEvent(msg, {
    properties: createPropertyBag(choices.properties ?? {}),
    log: silentLogger,
    binding: createBinding({ displayName: "x", event: "OnTransportSubmission", sinkClass: "x" }),
    nextMessageId: () => "",
    allocPropertyIds,
  });
  return { msg, answer, asked };
}

const fieldsOf = (msg: MailMsg): string[] => msg.headers.getAll("Authentication-Results");

describe("authenticate", () => {
  test("writes what it found on top, and keeps it for later sinks", async () => {
    const { msg, answer } = await authenticated({ properties: { receivedSpf: true } });
    expect(answer).toBe(sinkResult.runNext);
    expect(fieldsOf(msg)).toEqual([
      "inbound.example.net; spf=pass smtp.mailfrom=a@example.com; dkim=none; dmarc=pass policy.dmarc=reject header.from=example.com; arc=none",
    ]);
    expect(msg.headers.entries()[0]?.name).toBe("Authentication-Results");
    expect(msg.headers.get("Received-SPF")).toBe(
      'pass receiver=inbound.example.net; client-ip=192.0.2.1; envelope-from="a@example.com"',
    );
    expect(Object.fromEntries(msg.properties)).toMatchObject({
      "auth.spf": "pass",
      "auth.dkim": "none",
      "auth.dmarc": "pass",
      "auth.dmarc.policy": "reject",
      "auth.arc": "none",
    });
  });

  test("removes fields that are forged in our name, and leaves those of others", async () => {
    const header = [
      "Authentication-Results: inbound.example.net; dkim=pass",
      "AUTHENTICATION-RESULTS : (x) Inbound.Example.Net 1;\r\n\tdmarc=pass",
      "Authentication-Results: mx.example.org; dkim=pass",
      "",
    ].join("\r\n");
    const { msg } = await authenticated({ header });
    expect(fieldsOf(msg)).toHaveLength(2);
    expect(fieldsOf(msg)[1]).toBe("mx.example.org; dkim=pass");
  });

  test.each([
    ["mail of an authenticated user", { user: "alice" }],
    ["Pickup", { via: "pickup" as const, clientAddress: undefined }],
  ])("asks nothing about %s, but takes forged fields out of it", async (_name, origin) => {
    const header = "Authentication-Results: inbound.example.net; dkim=pass\r\n";
    const { msg, asked } = await authenticated({ origin, header });
    expect(asked).toEqual([]);
    expect(fieldsOf(msg)).toEqual([]);
  });

  // smtpreg and `onarrival bindings set` write texts.
  test.each([true, "true"])("looks at authenticated users as well when told to with %j", async (told) => {
    const { asked } = await authenticated({ origin: { user: "alice" }, properties: { authenticated: told } });
    expect(asked).not.toEqual([]);
  });
});

describe("the policy", () => {
  const failing = { sender: "x@evil.example" };

  test.each([
    ["nothing by default", {}, messageStatus.success],
    ["Badmail", { onDmarcReject: "badmail" }, messageStatus.badMail],
    ["the end", { onDmarcReject: "discard" }, messageStatus.abortDelivery],
    ["nothing for another policy", { onDmarcQuarantine: "discard" }, messageStatus.success],
  ])("a DMARC failure under p=reject means %s", async (_name, properties, status) => {
    const { msg } = await authenticated({ ...failing, properties });
    expect(msg.status).toBe(status);
  });

  test("p=quarantine, SPF failures and several authors have their own actions", async () => {
    const soft = { ...failing, from: "a@soft.example", properties: { onDmarcQuarantine: "badmail" } };
    expect((await authenticated(soft)).msg.status).toBe(messageStatus.badMail);
    const origin = { clientAddress: "198.51.100.7" };
    const spf = await authenticated({ origin, properties: { onSpfFail: "badmail" } });
    expect(spf.msg.status).toBe(messageStatus.badMail);
    const away = { ...ZONE, "example.com": { TXT: "SERVFAIL" as const } };
    const unsure = await authenticated({ zone: away, properties: { onDmarcTemperror: "retry" } });
    expect(unsure.msg.status).toBe(messageStatus.retry);
    const two = { from: "a@example.com, b@evil.example", properties: { onDmarcPermerror: "badmail" } };
    expect((await authenticated(two)).msg.status).toBe(messageStatus.badMail);
  });

  test("a DMARC failure that a trusted seal explains is not acted on", async () => {
    const key = rsaKey();
    const properties = new Map<string, PropertyValue>([
      ["auth.results", "mx.list.example; dmarc=pass header.from=example.com"],
      ["auth.arc", "none"],
    ]);
    const entry = entryOf(key.pem, { domain: "list.example", arc: true });
    const text = await signedText([entry], contentOf(MESSAGE), FOREIGN, properties);
    const zone = { ...ZONE, "one._domainkey.list.example": { TXT: [key.record] } };
    const statusWith = async (trustedSealers: string): Promise<number> => {
      const { msg } = await authenticated({
        ...failing,
        text,
        zone,
        properties: { onDmarcReject: "badmail", trustedSealers },
      });
      expect(msg.properties.get("auth.arc")).toBe("pass");
      return msg.status;
    };
    expect(await statusWith('["other.example","List.example"]')).toBe(messageStatus.success);
    expect(await statusWith("other.example")).toBe(messageStatus.badMail);
  });

  test("a word that is no action is refused, so that no policy is silently off", async () => {
    await expect(authenticated({ ...failing, properties: { onDmarcReject: "bounce" } })).rejects.toThrow(
      /onDmarcReject is "bounce"/,
    );
  });
});
