// What sinks of DnsResolver receive (REFERENCE 4.1): a look-up that is about to be made for mail on its way out.

/** The MX records of a domain. */
export interface MxLookupContext {
  readonly kind: "mx";
  readonly domain: string;
  /** Left undefined, DNS is asked; an empty list means that there are none. Hosts of smaller `priority` are tried first. */
  records: readonly { readonly exchange: string; readonly priority: number }[] | undefined;
}

/** The addresses of a host; sinks are asked once for IPv4 and once for IPv6. */
export interface HostLookupContext {
  readonly kind: "host";
  readonly host: string;
  /** 4: IPv4, 6: IPv6. */
  readonly family: 4 | 6;
  /** Left undefined, DNS is asked; addresses of the other family are left out. */
  addresses: readonly string[] | undefined;
}

export type DnsSubject = MxLookupContext | HostLookupContext;
