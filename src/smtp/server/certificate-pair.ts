// A certificate with its key: OpenSSL takes many pairs that no handshake succeeds with, and says of none which half is wrong.
import { X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import { describeError } from "../../core/errors.ts";
import { parsePrivateKey } from "../../core/private-key.ts";

export interface CertificatePair {
  /** PEM text. */
  readonly certificate: string;
  /** PEM text. */
  readonly key: string;
}

export interface CertificateFault {
  readonly half: keyof CertificatePair;
  readonly why: string;
}

export function certificateFault({ certificate, key }: CertificatePair): CertificateFault | undefined {
  let half: keyof CertificatePair = "certificate";
  try {
    const leaf = readCertificate(certificate);
    createSecureContext({ cert: certificate });
    half = "key";
    if (!leaf.checkPrivateKey(parsePrivateKey(key)))
      return { half, why: "it is not the key of the certificate" };
    createSecureContext({ cert: certificate, key });
    return undefined;
  } catch (thrown) {
    return { half, why: describeError(thrown) };
  }
}

/** Why clients that look at it do not trust the certificate at this time. */
export function outOfTime(certificate: string, now: number): string | undefined {
  const { validFromDate, validToDate } = readCertificate(certificate);
  if (validToDate.getTime() < now) return `it expired at ${validToDate.toISOString()}`;
  return validFromDate.getTime() > now ? `it is not valid before ${validFromDate.toISOString()}` : undefined;
}

function readCertificate(pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    throw new Error(`no certificate in PEM (${describeError(cause)})`, { cause });
  }
}
