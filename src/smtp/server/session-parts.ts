// What all sessions of one virtual server share.
import type { Clock } from "../../core/clock.ts";
import type { Logger } from "../../core/logger.ts";
import type { CheckAccessToken } from "./authentication/access-token.ts";
import type { CheckCredentials } from "./authentication/authentication.ts";
import type { AuthLockout } from "./authentication/auth-lockout.ts";
import type { InboundProtocol } from "./command-run.ts";
import type { Intake } from "./intake.ts";
import type { Keyword } from "../../core/esmtp-keywords.ts";
import type { NetworkCheck } from "./networks.ts";
import type { RelayRule } from "./relay-rule.ts";
import type { SessionCounts } from "./session-counts.ts";
import type { SessionLog } from "./session-watch.ts";
import type { SmtpServerSettings } from "./settings.ts";
import type { SizeSinks } from "./size-sinks.ts";

/** Starts what waits for these domains. Undefined: it starts, and how many messages it is cannot be told yet. */
export type StartQueues = (isAsked: (domain: string) => boolean) => number | undefined;

export interface SessionParts {
  readonly settings: SmtpServerSettings;
  readonly intake: Intake;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly relay: RelayRule;
  /** Of the socket's peer, not of who it names. */
  readonly isProxy: NetworkCheck;
  readonly mayXclient: NetworkCheck;
  readonly mayXforward: NetworkCheck;
  readonly startQueues: StartQueues | undefined;
  /** Whom ETRN is for. */
  readonly isEtrnDomain: (domain: string) => boolean;
  readonly checkCredentials: CheckCredentials;
  /** Absent when access tokens are not taken. */
  readonly checkAccessToken: CheckAccessToken | undefined;
  readonly lockout: AuthLockout;
  /** Never rejects. Absent when names are not looked up. */
  readonly lookUpName: ((address: string) => Promise<string | undefined>) | undefined;
  /** The date of a trace field. */
  readonly traceDate: (now: number) => string;
  readonly keywords: ReadonlySet<Keyword>;
  /** The sinks of OnInboundCommand. Absent: none can be bound. */
  readonly protocol: InboundProtocol | undefined;
  /** The sinks of MaxMsgSize. Absent: none can be bound. */
  readonly sizeSinks: SizeSinks | undefined;
  readonly counts: SessionCounts;
  /** Absent: nobody writes down what is said. */
  readonly sessionLog: SessionLog | undefined;
}
