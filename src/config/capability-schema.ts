// Settings of `sandbox` that bound what scripts get from the relay: fetch, the key-value store, DNS.
import { z } from "zod";
import { count, milliseconds, network, size, restart } from "./values.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

export const capabilitySettings = {
  fetchMaxResponseBytes: size(1)
    .default(MIB)
    .meta(restart("Body of an answer to a script's fetch.", { unit: "bytes" })),
  fetchMaxHeaderBytes: size(KIB, MIB)
    .default(16 * KIB)
    .meta(restart("Header block of such an answer, and of the request.", { unit: "bytes" })),
  fetchTimeoutMs: milliseconds(1)
    .default(10_000)
    .meta(restart("Time for all of a fetch: its turn, every redirect, the last byte.", { unit: "ms" })),
  fetchMaxRedirects: count(0, 50)
    .default(5)
    .meta(restart("Redirects that a fetch follows; allow.fetch has to grant each.", { unit: "redirects" })),
  fetchMaxConcurrent: count(1, 10_000)
    .default(50)
    .meta(restart("Fetches of all scripts at a time; further ones wait.", { unit: "requests" })),
  fetchMaxConcurrentPerScript: count(1, 10_000)
    .default(10)
    .meta(restart("Fetches of one script at a time.", { unit: "requests" })),
  fetchPrivateNetworks: z
    .array(network())
    .default([])
    .meta(
      restart(
        "Networks beside the public Internet that host names of allow.fetch may lead to, as 10.0.0.0/8. An address that allow.fetch names needs no entry.",
      ),
    ),
  kvMaxKeys: count(1, 10_000_000)
    .default(10_000)
    .meta(restart("Keys in the key-value store of a script.", { unit: "keys" })),
  kvMaxValueBytes: size(1, 64 * MIB)
    .default(64 * KIB)
    .meta(restart("Value of one key.", { unit: "bytes" })),
  kvMaxTotalBytes: size(1, KIB * MIB)
    .default(10 * MIB)
    .meta(restart("Keys and values of one script together.", { unit: "bytes" })),
  dnsTimeoutMs: milliseconds(1)
    .default(5000)
    .meta(restart("Time for a DNS question of a script.", { unit: "ms" })),
  dnsMaxRecords: count(1, 10_000)
    .default(100)
    .meta(restart("Records of the answer; further ones are left out.", { unit: "records" })),
  dnsMaxConcurrent: count(1, 10_000)
    .default(50)
    .meta(restart("DNS questions of all scripts at a time.", { unit: "questions" })),
};
