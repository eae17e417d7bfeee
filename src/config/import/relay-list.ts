// RelayIpList of the metabase (REFERENCE 6.1 row 36): who might relay. Its bytes are documented nowhere, and a relay list that is
// guessed is an open door: so the import sets nothing, and tells what to write.
import type { Reader } from "./setting-readers.ts";

/**
 * The one form that administrators' scripts agree on, as little-endian DWORDs: single addresses that may relay. Two of them count:
 * the addresses, and the addresses and their mask.
 */
const ADDRESSES = 9;
const ADDRESSES_AND_MASK = 11;
const HEAD: readonly number[] = [
  0x8000_0018, 0x8000_0020, 0x8000_003c, 0x8000_0044, 1, 76, 0, 0, 1, -1, 2, -1, 4, 0, 0x8000_004c, 0, 0, 0,
  0, 0xffff_ffff,
];
const DWORD = 4;
/** More would fill the report. */
const MAX_NAMED = 100;

const BY_HAND =
  'see Access, Relay in the properties of the old server: "Only the list below" is relay.mode: only, "All except the list below" is relay.mode: except, and each line of the list goes into relay.networks as 192.0.2.7 or 192.0.2.0/24, beside "127.0.0.0/8" and "::1/128" for programs of this machine';

export const relayList: Reader = (value) => {
  const hex = value.replaceAll(/\s/g, "");
  if (hex === "")
    return "the list is empty, and nobody was on it; here programs of this machine may relay, unless you write relay: { networks: [] }";
  const addresses = addressesIn(hex);
  if (addresses === undefined || addresses.length > MAX_NAMED)
    return `it is packed binary in a form that is not known; ${BY_HAND}`;
  const networks = ["127.0.0.0/8", "::1/128", ...addresses].map((network) => `"${network}"`).join(", ");
  return `it is packed binary, which seems to let ${addresses.length} single addresses relay: compare with Access, Relay in the properties of the old server and write relay: { mode: only, networks: [${networks}] }`;
};

/** Undefined: it has another form. */
function addressesIn(hex: string): string[] | undefined {
  if (!/^(?:[\da-f]{2})+$/i.test(hex)) return undefined;
  const bytes = Buffer.from(hex, "hex");
  const count = (bytes.length - HEAD.length * DWORD) / DWORD;
  if (!Number.isInteger(count) || count < 0) return undefined;
  const wanted = HEAD.map((dword, at) => {
    if (at === ADDRESSES) return count;
    return at === ADDRESSES_AND_MASK ? count + 1 : dword;
  });
  if (wanted.some((dword, at) => bytes.readUInt32LE(at * DWORD) !== dword)) return undefined;
  return Array.from({ length: count }, (_, at) =>
    bytes.subarray((HEAD.length + at) * DWORD, (HEAD.length + at + 1) * DWORD).join("."),
  );
}
