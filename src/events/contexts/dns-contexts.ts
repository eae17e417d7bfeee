// What sinks of DnsResolver receive (REFERENCE 4.1): a look-up that is about to be made for mail on its way out.

/** The MX records of a domain. Left undefined, DNS is asked; an empty list means that there are none. */
export interface MxLookupContext {
  readonly kind: "mx";
  readonly domain: string;
  records: readonly { readonly exchange: string; readonly priority: number }[] | undefined;
}

/** The addresses of a host, asked for IPv4 and for IPv6. Left undefined, DNS is asked; addresses of the other family are left out. */
export interface HostLookupContext {
  readonly kind: "host";
  readonly host: string;
  readonly family: 4 | 6;
  addresses: readonly string[] | undefined;
}

export type DnsSubject = MxLookupContext | HostLookupContext;
