// SPF, DKIM, DMARC and ARC of a message that arrived, by mailauth: this file is its door.
import { Readable } from "node:stream";
import type { Clock } from "../core/clock.ts";
import type { Content } from "../message/content.ts";
import { parseAddressList } from "../mime/addresses.ts";
import { Headers } from "../mime/headers.ts";
import type { Finding } from "./finding.ts";
import type { Lookup } from "./lookup.ts";
import { type MethodResult, quoted, resultsValue } from "./results-field.ts";
import { LineTooLongError, SLICE_BYTES, slicesOf, verifiableContent } from "./verifiable-content.ts";

/** What SPF looks at, and who says what was found. */
export interface Conversation {
  /** Name that the results carry (RFC 8601 §2.5). */
  readonly authservId: string;
  readonly clientAddress: string;
  readonly heloDomain: string | undefined;
  /** "" is the null sender. */
  readonly sender: string;
}

export interface Verification extends Finding {
  /** Domain that closed the ARC chain, when the chain passes and says that DMARC passed there. */
  readonly vouchedBy: string | undefined;
  /** The value of a Received-SPF field (RFC 7208 §9.1). */
  readonly receivedSpf: string;
}

export type Verify = (
  content: Content,
  conversation: Conversation,
  budgetMs: number,
) => Promise<Verification>;

/** The library is large: it is loaded when somebody asks for verification, not at every start. */
export async function loadVerifier(lookup: Lookup, clock: Clock): Promise<Verify> {
  const [{ dkimVerify }, { spf }, { dmarc }, { arc }] = await Promise.all([
    import("mailauth/lib/dkim/verify.js"),
    import("mailauth/lib/spf/index.js"),
    import("mailauth/lib/dmarc/index.js"),
    import("mailauth/lib/arc/index.js"),
  ]);
  const library: Library = { dkimVerify, spf, dmarc, arc };
  return (content, conversation, budgetMs) =>
    verify(
      library,
      content,
      conversation,
      // The sender chooses whose servers are asked first, and slow ones must not keep us from the author's policy.
      { ofSender: resolverOf(lookup, (budgetMs * 2) / 3), ofAuthor: () => resolverOf(lookup, budgetMs / 3) },
      clock.now(),
    );
}

interface Library {
  readonly dkimVerify: typeof import("mailauth/lib/dkim/verify.js").dkimVerify;
  readonly spf: typeof import("mailauth/lib/spf/index.js").spf;
  readonly dmarc: typeof import("mailauth/lib/dmarc/index.js").dmarc;
  readonly arc: typeof import("mailauth/lib/arc/index.js").arc;
}

type MailauthResolver = NonNullable<Parameters<Library["spf"]>[0]["resolver"]>;

// What the library gets is not changed by it.
// oxlint-disable-next-line typescript/no-unsafe-type-assertion
const resolverOf = (lookup: Lookup, budgetMs: number) => lookup.within(budgetMs) as MailauthResolver;

interface Resolvers {
  readonly ofSender: MailauthResolver;
  /** Its time begins when it is asked for. */
  readonly ofAuthor: () => MailauthResolver;
}

async function verify(
  library: Library,
  content: Content,
  conversation: Conversation,
  { ofSender: resolver, ofAuthor }: Resolvers,
  now: number,
): Promise<Verification> {
  const [spf, signatures] = await Promise.all([
    verifySpf(library, conversation, resolver),
    verifySignatures(library, content, resolver, now),
  ]);
  const dmarc = await verifyDmarc(library, spf, signatures, ofAuthor());
  const { dkim, arc } = signatures;
  return {
    results: resultsValue(conversation.authservId, [spf.row, ...dkim, dmarc.row, arc.row]),
    spf: spf.row.result,
    dkim: overall(dkim),
    dkimDomains: signatures.passed,
    dmarc: dmarc.row.result,
    dmarcPolicy: dmarc.policy,
    arc: arc.row.result,
    vouchedBy: arc.vouchedBy,
    receivedSpf: receivedSpf(spf.row.result, conversation),
  };
}

interface SpfFinding {
  readonly row: MethodResult;
  readonly domain: string;
}

async function verifySpf(
  { spf }: Library,
  { sender, heloDomain, clientAddress, authservId }: Conversation,
  resolver: MailauthResolver,
): Promise<SpfFinding> {
  const helo = heloDomain ?? `[${clientAddress}]`;
  const { status, domain } = await spf({ sender, ip: clientAddress, helo, mta: authservId, resolver });
  // RFC 7208 §2.4: for the null sender the HELO name is checked.
  const identity = sender === "" ? (["smtp.helo", helo] as const) : (["smtp.mailfrom", sender] as const);
  return { row: { method: "spf", result: status.result, properties: [identity] }, domain };
}

interface SignatureFinding {
  readonly dkim: readonly MethodResult[];
  /** Domains of the signatures that pass. */
  readonly passed: readonly string[];
  /** Domains of those whose keys could not be looked up. */
  readonly unsure: readonly string[];
  readonly authors: readonly string[];
  readonly arc: { readonly row: MethodResult; readonly vouchedBy: string | undefined };
}

async function verifySignatures(
  library: Library,
  message: Content,
  resolver: MailauthResolver,
  now: number,
): Promise<SignatureFinding> {
  const authors = authorsOf(message);
  const { content, isSigned, left } = verifiableContent(message);
  const unread = (reason: string): SignatureFinding => {
    const row = { method: "dkim", result: "permerror", reason, properties: [] } as const;
    return { dkim: [row], passed: [], unsure: [], authors, arc: arcFinding("fail") };
  };
  if (content === undefined) return unread("the header is too long or has no end");
  const verified = await readSignatures(library, content, isSigned, resolver, now);
  if (verified === undefined) return unread("the signatures cannot be read");
  const found = verified.results.filter(({ status }) => status.result !== "none");
  const rows = found.map(dkimRow);
  const dkim = [
    ...rows,
    ...left.map(({ why, count }): MethodResult => {
      const reason = `${count} signature${count === 1 ? "" : "s"} that ${why}`;
      return { method: "dkim", result: "policy", reason, properties: [] };
    }),
  ];
  const none = { method: "dkim", result: "none", properties: [] } as const;
  const domainsWith = (result: string): string[] =>
    found.filter((_, at) => rows[at]?.result === result).map(({ signingDomain }) => signingDomain);
  return {
    dkim: dkim.length === 0 ? [none] : dkim,
    passed: domainsWith("pass"),
    unsure: domainsWith("temperror"),
    authors,
    arc: await verifyArc(library.arc, verified.arc, resolver),
  };
}

/** Whatever stands in From fields, in all of them. */
const authorsOf = ({ header }: Content): string[] =>
  new Headers(header)
    .getAll("From")
    .flatMap((value) => parseAddressList(value))
    .flatMap(({ address }) => (address.includes("@") ? [address] : []));

/** Undefined when the library throws on the message, or would be busy with it too long: that must not hold the message up. */
async function readSignatures(
  { dkimVerify }: Library,
  content: Content,
  isSigned: boolean,
  resolver: MailauthResolver,
  now: number,
): Promise<Awaited<ReturnType<Library["dkimVerify"]>> | undefined> {
  let unreadable: unknown;
  const isSmall = content.size <= SLICE_BYTES;
  const input = (isSmall ? content.buffer : undefined) ?? Readable.from(slicesOf(content, isSigned));
  if (input instanceof Readable) input.once("error", (error) => (unreadable = error));
  try {
    return await dkimVerify(input, { resolver, curTime: now, minBitLength: 1024, sender: "" });
  } catch {
    if (unreadable !== undefined && !(unreadable instanceof LineTooLongError)) throw unreadable;
    return undefined;
  }
}

/** mailauth calls neutral what RFC 8601 §2.7.1 and RFC 6376 §6.1 call by other names. */
const RESULT_OF: Readonly<Record<string, string>> = {
  "body hash did not verify": "fail",
  expired: "fail",
  "invalid expiration": "permerror",
  "no key": "permerror",
  "unknown key version": "permerror",
  "unknown key type": "permerror",
  "invalid public key": "permerror",
};

type DkimResult = Awaited<ReturnType<Library["dkimVerify"]>>["results"][number];

function dkimRow({ status, signingDomain, selector }: DkimResult): MethodResult {
  const algorithm = textOf(status.header?.["a"]);
  const known = status.result === "neutral" ? RESULT_OF[status.comment ?? ""] : undefined;
  // RFC 8301 §3.1: such a signature is worth nothing any more.
  const isSha1 = status.result === "pass" && algorithm?.toLowerCase().endsWith("-sha1") === true;
  return {
    method: "dkim",
    result: isSha1 ? "permerror" : (known ?? status.result),
    reason: isSha1 ? "rsa-sha1" : known === undefined ? undefined : status.comment,
    properties: [
      ["header.d", signingDomain],
      ["header.s", selector],
      ["header.a", algorithm],
      ["header.b", textOf(status.header?.["b"])],
    ],
  };
}

const textOf = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);

/** The best of all signatures: one that passes is enough. */
function overall(rows: readonly MethodResult[]): string {
  for (const result of ["pass", "temperror", "fail"])
    if (rows.some((row) => row.result === result)) return result;
  return rows[0]?.result ?? "none";
}

const arcFinding = (result: string, vouchedBy?: string): SignatureFinding["arc"] => ({
  row: { method: "arc", result, properties: [] },
  vouchedBy,
});

async function verifyArc(
  arc: Library["arc"],
  chain: Awaited<ReturnType<Library["dkimVerify"]>>["arc"],
  resolver: MailauthResolver,
): Promise<SignatureFinding["arc"]> {
  if (chain === undefined) return arcFinding("none");
  try {
    const given = {
      chain: chain.chain === false ? [] : chain.chain,
      ...(chain.lastEntry && { lastEntry: chain.lastEntry }),
      ...(chain.error && { error: chain.error }),
    };
    const { status, signature, authenticationResults } = await arc(given, { resolver, minBitLength: 1024 });
    if (status.result !== "pass") return arcFinding(status.result);
    const dmarc: unknown = authenticationResults?.["dmarc"];
    const passedThere =
      typeof dmarc === "object" && dmarc !== null && "result" in dmarc && dmarc.result === "pass";
    const sealer = signature ? signature.signingDomain.toLowerCase() : undefined;
    return arcFinding("pass", passedThere ? sealer : undefined);
  } catch {
    // Fields that the library trips over are those of a chain that nobody can continue.
    return arcFinding("fail");
  }
}

type DmarcResult = Exclude<Awaited<ReturnType<Library["dmarc"]>>, false>;

interface DmarcFinding {
  readonly row: MethodResult;
  readonly policy: string;
}

async function verifyDmarc(
  { dmarc }: Library,
  spf: SpfFinding,
  { passed, unsure, authors }: SignatureFinding,
  resolver: MailauthResolver,
): Promise<DmarcFinding> {
  const [author] = authors;
  // RFC 7489 §6.6.1: which of several authors counts is anybody's guess, and spoofing lives on it.
  if (author === undefined || authors.length > 1) {
    const reason = `${authors.length} authors`;
    return { row: { method: "dmarc", result: "permerror", reason, properties: [] }, policy: "" };
  }
  // Not the address: mailauth looks for the domain behind its first "@", which may be a quoted one.
  const domain = author.slice(author.lastIndexOf("@") + 1).toLowerCase();
  const judge = (result: string, signers: readonly string[]): Promise<DmarcResult | false> =>
    dmarc({
      headerFrom: domain,
      spfDomains: spf.row.result === result ? [spf.domain] : [],
      dkimDomains: signers.map((signer) => ({ domain: signer })),
      resolver,
    });
  const found = await judge("pass", passed);
  if (found === false) return { row: dmarcRow("none", "", domain), policy: "" };
  const policy = policyOf(found.policy, found.pct);
  const { result } = found.status;
  if (result !== "fail") return { row: dmarcRow(result, policy, domain), policy };
  // RFC 7489 §6.6.2: what DNS did not tell today may be what would have passed. Only the author's own: servers that fail on
  // purpose are easily had.
  const maybe = await judge("temperror", unsure);
  const isUnsure = maybe !== false && maybe.status.result === "pass";
  return { row: dmarcRow(isUnsure ? "temperror" : "fail", policy, domain), policy };
}

const dmarcRow = (result: string, policy: string, domain: string): MethodResult => ({
  method: "dmarc",
  result,
  properties: [
    ["policy.dmarc", policy],
    ["header.from", domain],
  ],
});

/** pct below 100 is a domain that tries its policy out: of what is not drawn the next milder one holds (RFC 7489 §6.6.4). */
function policyOf(policy: unknown, pct: number | undefined): string {
  const asked = typeof policy === "string" ? policy.trim().toLowerCase() : "";
  if (asked !== "reject" && asked !== "quarantine") return asked === "none" ? "none" : "";
  if (pct === undefined || pct >= 100) return asked;
  return asked === "reject" ? "quarantine" : "none";
}

const spfIdentity = ({ sender, heloDomain }: Conversation): string =>
  sender === "" ? `helo=${quoted(heloDomain ?? "")}` : `envelope-from=${quoted(sender)}`;

const receivedSpf = (result: string, conversation: Conversation): string =>
  `${result} receiver=${conversation.authservId}; client-ip=${conversation.clientAddress}; ${spfIdentity(conversation)}`;
