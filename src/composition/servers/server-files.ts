// The files that a virtual server names and that are read at the start and at each reload. What is wrong is told with its place.
import { readFile } from "node:fs/promises";
import type { VirtualServerSettings } from "../../config/schema.ts";
import { type ErrorCode, OnArrivalError, describeError } from "../../core/errors.ts";
import {
  type AccessTokenSettings,
  createAccessTokenCheck,
} from "../../smtp/server/authentication/access-token.ts";
import { certificateFault, outOfTime } from "../../smtp/server/certificate-pair.ts";
import type { TlsSettings } from "../../smtp/server/settings.ts";
import type { ServerPlace } from "./server-places.ts";

/** Throws TLS_INVALID. */
export async function readCertificate(
  { certificate, key }: NonNullable<VirtualServerSettings["tls"]>,
  placeOf: ServerPlace,
): Promise<Pick<TlsSettings, "certificate" | "key">> {
  const files = { certificate, key };
  const pair = {
    certificate: await readNamed("TLS_INVALID", certificate, () => placeOf("tls", "certificate")),
    key: await readNamed("TLS_INVALID", key, () => placeOf("tls", "key")),
  };
  const fault = certificateFault(pair);
  if (fault === undefined) return pair;
  const { half, why } = fault;
  throw new OnArrivalError("TLS_INVALID", `${placeOf("tls", half)}: ${files[half]}: ${why}`);
}

/** It is served all the same: many who send mail do not look at it. */
export function certificateWarning(
  { tls }: VirtualServerSettings,
  pair: Pick<TlsSettings, "certificate"> | undefined,
  placeOf: ServerPlace,
  now: number,
): string | undefined {
  const why = pair && outOfTime(pair.certificate, now);
  return why === undefined
    ? undefined
    : `${placeOf("tls", "certificate")}: ${tls?.certificate ?? ""}: ${why}`;
}

type AccessTokens = NonNullable<VirtualServerSettings["auth"]["accessTokens"]>;

/** Throws CONFIG_INVALID. */
export async function readAccessTokens(
  { keysFile, ...tokens }: AccessTokens,
  placeOf: ServerPlace,
): Promise<AccessTokenSettings> {
  const place = (): string => placeOf("auth", "accessTokens", "keysFile");
  const settings = { ...tokens, keys: await readNamed("CONFIG_INVALID", keysFile, place) };
  try {
    createAccessTokenCheck(settings);
    return settings;
  } catch (cause) {
    throw new OnArrivalError("CONFIG_INVALID", `${place()}: ${keysFile}: ${describeError(cause)}`, { cause });
  }
}

async function readNamed(code: ErrorCode, file: string, place: () => string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw new OnArrivalError(code, `${place()}: ${describeError(cause)}`, { cause });
  }
}
