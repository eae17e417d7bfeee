// The envelope of a message that is none of the test's business.
import type { JobEnvelope } from "../../runtime/contract.ts";

export const NO_ENVELOPE: JobEnvelope = {
  sender: "",
  recipients: [],
  arrivalTime: 0,
  clientAddress: "",
  pickupFileName: "",
  status: 0,
};
