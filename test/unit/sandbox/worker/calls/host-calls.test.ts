import { expect, test } from "vitest";
import { DEFAULT_SCRIPT_LIMITS } from "../../../../../runtime/contract.ts";
import { bufferSource } from "../../../../../src/mime/source.ts";
import { CallState } from "../../../../../src/sandbox/worker/call-state.ts";
import { createHostFunction } from "../../../../../src/sandbox/worker/calls/host-calls.ts";
import { JobDocument } from "../../../../../src/sandbox/worker/content/job-document.ts";
import { RequestNumbers } from "../../../../../src/sandbox/worker/calls/open-requests.ts";
import { NO_ENVELOPE } from "../../../../support/no-envelope.ts";

test.each([
  ["a call for each, and the most that the runtime reports", 2 + 3 + 4, undefined],
  ["a report more", 2 + 3 + 4 + 1, "limit"],
])("X23 reports to the host are counted: %s", (_title, reports, ends) => {
  const limits = { ...DEFAULT_SCRIPT_LIMITS, hostCalls: 2, logLines: 3 };
  const document = new JobDocument(bufferSource(Buffer.from("\r\n")));
  const state = new CallState(limits, document, NO_ENVELOPE, NO_ENVELOPE, new RequestNumbers());
  const host = createHostFunction({ state, secretAtLoad: () => undefined });
  for (let call = 0; call < limits.hostCalls; call += 1) host("envelope", "sender", "", undefined);
  for (let report = 0; report < reports; report += 1) host("error", undefined, undefined, undefined);
  expect(state.fault?.kind).toBe(ends);
});
