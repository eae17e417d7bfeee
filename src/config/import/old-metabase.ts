// What is read of an old metabase, from either form, before anything is made of it.

export interface OldBinding {
  readonly instance: number;
  /** GUID or display name of the event type. */
  readonly event: string;
  readonly id?: string | undefined;
  readonly displayName?: string | undefined;
  readonly sinkClass: string;
  readonly enabled: boolean;
  readonly expiration?: string | undefined;
  readonly maxFirings?: string | undefined;
  readonly source: ReadonlyMap<string, string>;
  readonly sink: ReadonlyMap<string, string>;
}

export interface OldDomain {
  readonly name: string;
  readonly routeAction: string | undefined;
  /** RouteActionString: the smart host. */
  readonly smartHost: string | undefined;
}

export interface OldServer {
  readonly instance: number;
  /** Property names as they are written; what it inherits from the service included. */
  readonly settings: ReadonlyMap<string, string>;
  readonly domains: readonly OldDomain[];
}

export interface OldMetabase {
  /** Empty for a listing, which has bindings only. */
  readonly servers: readonly OldServer[];
  readonly bindings: readonly OldBinding[];
}

/** The value of a name in any case. */
export function valueOf(properties: ReadonlyMap<string, string>, name: string): string | undefined {
  for (const [known, value] of properties) if (known.toLowerCase() === name.toLowerCase()) return value;
  return undefined;
}
