// New boundaries: 128 random bits behind a mark that no quoted-printable or base64 body can contain.
import { randomBytes } from "node:crypto";

/** Answers a fresh token of letters and digits on every call. */
export type TokenSource = () => string;

export const randomToken: TokenSource = () => randomBytes(16).toString("hex");

// RFC 2045 §6.7: "=_" cannot appear in quoted-printable, nor "_" in base64.
const BOUNDARY_MARK = "=_oa_";

export const createBoundary = (token: TokenSource): string => BOUNDARY_MARK + token();
