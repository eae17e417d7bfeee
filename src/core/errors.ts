// Every fault the service can name: its code, who has to act, and what to do. docs/errors.md is generated from here.

/** `operator`: a file, a setting or a script has to change. `system`: the machine or we failed. */
export type ErrorOwner = "operator" | "system";

interface ErrorEntry {
  owner: ErrorOwner;
  meaning: string;
  remedy: string;
}

export const ERROR_CODES = {
  CONFIG_INVALID: {
    owner: "operator",
    meaning: "The configuration file has an unknown key or a value of the wrong kind.",
    remedy: "Correct the line named in the message; `onarrival check` validates the file without starting.",
  },
  CONFIG_UNREADABLE: {
    owner: "operator",
    meaning: "The configuration file named on the command line cannot be read.",
    remedy: "Check the path and its permissions.",
  },
  BINDING_NOT_FOUND: {
    owner: "operator",
    meaning: "No binding has the display name or GUID given.",
    remedy: "`onarrival bindings list` shows them; display names are case-sensitive.",
  },
  LISTEN_FAILED: {
    owner: "operator",
    meaning: "An address of `listen` cannot be bound: in use, not ours, or privileged.",
    remedy:
      "In use: stop the other program, or choose another port. Not ours: `listen` (or `--listen`) takes an address that this machine has. Privileged: ports below 1024 need CAP_NET_BIND_SERVICE, which docs/onarrival.service gives.",
  },
  TLS_INVALID: {
    owner: "operator",
    meaning: "The certificate or key of a virtual server is missing or does not load.",
    remedy: "Correct `tls.certificate` and `tls.key` (PEM files).",
  },
  MAILROOT_UNUSABLE: {
    owner: "operator",
    meaning:
      "The mailroot or a folder in it cannot be created or written, or another release wrote its store.",
    remedy:
      "Give the service's user write permission, or choose another `mailroot`. A store of another format version is read by the release that wrote it.",
  },
  MAILROOT_LOCKED: {
    owner: "operator",
    meaning: "Another running service holds this mailroot.",
    remedy: "Stop it first, or give this service a mailroot of its own.",
  },
  SINK_NOT_FOUND: {
    owner: "operator",
    meaning: "The sinkClass of a binding names no module or no known class.",
    remedy:
      "Correct `sinkClass` (a path of a native sink module, or CDO.SS_SMTPOnArrivalSink with ScriptName).",
  },
  SINK_INVALID: {
    owner: "operator",
    meaning: "A native sink module does not export what defineSink returns, or for another event.",
    remedy: "Export default defineSink({ event, onEvent }).",
  },
  SINK_PROPERTIES_INVALID: {
    owner: "operator",
    meaning: "A native sink cannot work with the sinkProperties of its binding.",
    remedy: "Correct the line of sinkProperties that the message names.",
  },
  SECRETS_UNUSABLE: {
    owner: "operator",
    meaning:
      "The file of scripts.secretsFile cannot be read, is open to everybody, or holds a line of another form.",
    remedy: "Correct what the message names; secrets are NAME=value lines in a file with mode 0600 or 0640.",
  },
  SIGNING_KEY_UNUSABLE: {
    owner: "operator",
    meaning:
      "A key of `signing` cannot be read, is open to everybody, too weak, or of another kind than its algorithm.",
    remedy:
      "Correct what the message names; a key is a PEM file with mode 0600 or 0640, Ed25519 or RSA of at least 1024 bits, better 2048.",
  },
  SCRIPTS_UNREADABLE: {
    owner: "operator",
    meaning:
      "The scripts folder cannot be listed, or is gone although scripts have run from it: none could run, and mail would pass them by.",
    remedy:
      "Give the service's user the right to read and enter `scripts.folder` (`chmod g+rx`, and its group), mount its volume, or name the right folder. When there are to be no scripts any more, make an empty one.",
  },
  SCRIPT_INVALID: {
    owner: "operator",
    meaning: "A script does not compile, does not load, or exports no entry point.",
    remedy: "Correct the file and line named in the message; until then its last good version stays live.",
  },
  SCRIPT_NOT_FOUND: {
    owner: "operator",
    meaning: "The scripts folder has no script of that file name.",
    remedy: "`onarrival scripts list` shows the names.",
  },
  SCRIPT_VERSION_NOT_FOUND: {
    owner: "operator",
    meaning: "The version of the script is not among those kept, or there is no earlier one.",
    remedy: "`onarrival scripts show NAME` lists the versions that are kept.",
  },
  SCRIPT_FAILED: {
    owner: "operator",
    meaning: "A script threw, ran out of its limits, or ended its sandbox process on a message.",
    remedy: "Correct the script: saving it releases the messages that it held.",
  },
  SANDBOX_UNAVAILABLE: {
    owner: "system",
    meaning: "No sandbox process can be started.",
    remedy:
      "The error ends with the last words of the process. It may read the installed package and the node_modules folders around it only: a link that leads out of them does not work. Otherwise check `sandbox.wrapper`, and the machine's limits of processes and memory. In a service messages wait in the pre-submission queue meanwhile.",
  },
  STORE_FAILED: {
    owner: "system",
    meaning: "The store could not write or synchronise a file. The message was not accepted.",
    remedy: "Check free space and the health of the disk below the mailroot.",
  },
  STORE_CORRUPT: {
    owner: "system",
    meaning: "An entry of the store is damaged; it was set aside and the rest goes on.",
    remedy: "Look at the file named in the message below Queue/corrupt.",
  },
  PICKUP_INVALID: {
    owner: "operator",
    meaning:
      "A file in Pickup has no usable sender or recipient, cannot be read, or has come round too often (limits.maxHops).",
    remedy:
      "The file was moved to Badmail with the reason; correct it and move it back. One that came round: end the loop first, it is mostly a program that moves files from Drop to Pickup.",
  },
  PICKUP_CHANGED: {
    owner: "operator",
    meaning: "A file in Pickup was written to after it had been taken: what was there by then was sent.",
    remedy:
      "The whole file is in Badmail. Write files elsewhere on the same volume and move them in, or raise `pickup.settleMs` above the pauses of the program that writes.",
  },
  CONTROL_UNREACHABLE: {
    owner: "operator",
    meaning: "No service answers on the control socket of this mailroot.",
    remedy: "Start the service, or name its mailroot with --mailroot or --config.",
  },
  CONTROL_FORBIDDEN: {
    owner: "operator",
    meaning: "The control socket of this mailroot is there for the service's user only.",
    remedy: "Give the command as the user that the service runs as.",
  },
  MESSAGE_NOT_FOUND: {
    owner: "operator",
    meaning: "No message in the queues has the id given.",
    remedy:
      "`onarrival queue list` shows the messages that are there; an id may be shortened to its first characters, at least 6.",
  },
  MESSAGE_AMBIGUOUS: {
    owner: "operator",
    meaning: "The shortened id given is the beginning of the ids of several messages. Nothing was done.",
    remedy: "Give more characters; the message names those that begin so.",
  },
  QUEUE_FROZEN: {
    owner: "operator",
    meaning:
      "`queue force` of a frozen queue, `queue retry` of messages that wait in frozen queues only, or `queue thaw` of one queue where its next hop is frozen as a whole: nothing of it is tried until it is thawed.",
    remedy:
      "`onarrival queue thaw QUEUE` when it was frozen with `queue freeze`; what a router has halted the router lets go on.",
  },
  FREEZE_NOT_KEPT: {
    owner: "operator",
    meaning:
      "The queue is frozen, or thawed, but the list of frozen queues could not be written: a restart forgets the change.",
    remedy:
      "Let the service write the file that the message names (free space, permissions, nothing else of this name), and give the command again.",
  },
  MAILMSG_E_PROPNOTFOUND: {
    owner: "operator",
    meaning: "A sink read a property that the message or recipient does not have, or one that is obsolete.",
    remedy: "Ask `has` first or read it with `find`; docs/mailmsg.md says which properties are there when.",
  },
  MAILMSG_PROPERTY_INVALID: {
    owner: "operator",
    meaning: "A sink gave a property a value of the wrong type or range, or wrote one that is fixed.",
    remedy: "docs/mailmsg.md has the type of each property, and which of them can be written.",
  },
  MAILMSG_PROPERTY_LIMIT: {
    owner: "operator",
    meaning:
      "A sink gave a message more properties, or asked for more property ids, than the settings allow.",
    remedy:
      "Keep less with the message, or raise `mailMsg.maxProperties`, `maxPropertyBytes` or `maxPropertyIds`.",
  },
  DIRECTORY_UNAVAILABLE: {
    owner: "operator",
    meaning: "No server of the categorizer's directory answers, or not in time. Messages wait.",
    remedy: "Look at the reason in the message: the server, the network, its certificate, its limits.",
  },
  DIRECTORY_REFUSED: {
    owner: "operator",
    meaning: "The categorizer's directory refuses us or the question: credentials, rights, base, filter.",
    remedy: "Correct `categorizer.ldap` (bind, base, filter) or the rights of that user in the directory.",
  },
  DIRECTORY_AMBIGUOUS: {
    owner: "operator",
    meaning: "Several entries of the categorizer's directory claim one address. Its messages wait.",
    remedy:
      "Take the address from all entries but one, or let such mail fail with `categorizer.ldap.ambiguous`.",
  },
  EFFECTS_NOT_FOUND: {
    owner: "operator",
    meaning: "The effect log has no record of the message or the shadow binding given.",
    remedy:
      "Records are kept for `effects.keepHours`, up to `effects.maxSize`, while `effects.enabled` is true, of messages that came when there were bindings, or were categorized; the id of a message stands in the log.",
  },
  FILE_UNUSABLE: {
    owner: "operator",
    meaning: "A file or folder that a command works with cannot be read or written.",
    remedy: "Check the path, its permissions and the space on its volume.",
  },
  WRONG_USE: {
    owner: "operator",
    meaning: "A command was given an argument it cannot use.",
    remedy: "See `onarrival COMMAND --help`.",
  },
  IMPORT_INVALID: {
    owner: "operator",
    meaning: "The file to import is no MetaBase.xml and no listing of smtpreg /enum, or is larger than any.",
    remedy: "Export it again from the old server: MetaBase.xml, or the output of smtpreg.vbs /enum.",
  },
  FILE_EXISTS: {
    owner: "operator",
    meaning: "A command would have to overwrite a file that is there.",
    remedy: "Choose another name, or move the file away.",
  },
  INTERNAL: {
    owner: "system",
    meaning: "A defect of OnArrival itself.",
    remedy: "Report it with the stack trace of the log.",
  },
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof ERROR_CODES;

/** The base of all faults. Verdicts (a refused recipient, a status) are values and never thrown. */
export class OnArrivalError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "OnArrivalError";
    this.code = code;
  }

  get owner(): ErrorOwner {
    return ERROR_CODES[this.code].owner;
  }

  get remedy(): string {
    return ERROR_CODES[this.code].remedy;
  }
}

/** The message of anything that was thrown, on one line. Sinks put texts of strangers into it: runs of blanks are passed once. */
export function describeError(thrown: unknown): string {
  return textOf(thrown).replaceAll(/\s+/g, (blanks) => (/[\r\n]/.test(blanks) ? " " : blanks));
}

/** Of whatever a sink throws: it must not throw once more. */
function textOf(thrown: unknown): string {
  try {
    // OpenSSL's own message is numbers and names of source files around the reason.
    if (thrown instanceof Error && "library" in thrown && "reason" in thrown)
      return `${String(thrown.library)}: ${String(thrown.reason)}`;
    return String(thrown instanceof Error ? thrown.message : thrown);
  } catch {
    return "an object that cannot be written as text was thrown";
  }
}
