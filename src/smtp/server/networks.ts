// Lists of addresses and networks in the settings: "192.0.2.1", "10.0.0.0/8", "fd00::/8".
import { BlockList, isIP, isIPv6 } from "node:net";
import { OnArrivalError } from "../../core/errors.ts";

/** Whether an address is in the list. */
export type NetworkCheck = (address: string) => boolean;

const NOBODY: NetworkCheck = () => false;

const MAPPED = /^::ffff:([\da-f]{1,4}):([\da-f]{1,4})$/;

/** The one spelling that lists, locks and trace fields know an address by: IPv4 where IPv6 only maps it, else that of RFC 5952. */
export function canonicalAddress(address: string): string {
  if (!isIPv6(address) || address.includes("%")) return address;
  const short = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [, high = "", low = ""] = MAPPED.exec(short) ?? [];
  return low === "" ? short : Buffer.from(high.padStart(4, "0") + low.padStart(4, "0"), "hex").join(".");
}

/** Throws CONFIG_INVALID, naming the setting, for what is no address or network. */
export function networkCheck(networks: readonly string[], setting: string): NetworkCheck {
  if (networks.length === 0) return NOBODY;
  const list = new BlockList();
  for (const network of networks) {
    const [address = "", prefix] = network.split("/");
    const family = isIPv6(address) ? "ipv6" : "ipv4";
    try {
      if (prefix === undefined) list.addAddress(address, family);
      else list.addSubnet(address, Number(prefix), family);
    } catch (cause) {
      throw new OnArrivalError(
        "CONFIG_INVALID",
        `${setting}: ${JSON.stringify(network)} is no address or network`,
        { cause },
      );
    }
  }
  // A session asks about its client several times.
  let asked: string | undefined;
  let isListed = false;
  return (address) => {
    if (address !== asked) {
      asked = address;
      isListed = isIP(address) !== 0 && list.check(address, isIPv6(address) ? "ipv6" : "ipv4");
    }
    return isListed;
  };
}
