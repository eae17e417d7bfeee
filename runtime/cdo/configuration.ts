// IConfiguration: the settings of Send, Reply and Forward (REFERENCE 1.7, 2.6). Those without effect here are kept, so that a
// script that sets a server and credentials for another world runs on.
import { CdoError } from "./errors.ts";
import { FieldsBase, type FieldSource, type FieldValue } from "./fields.ts";
import type { Host } from "../host.ts";
import { refuseWrite, toText } from "./member-names.ts";
import { cut } from "../contract.ts";

const NAMESPACE = "http://schemas.microsoft.com/cdo/configuration/";
const TIME_ZONE = "urn:schemas:calendar:timezoneid";

const INVALID_TIME_ZONE = 82;

const CDO_DEFAULTS = -1;
const CDO_IIS = 1;
const CDO_OUTLOOK_EXPRESS = 2;

type Setting = string | number | boolean;

/** By local name. A value that is assigned takes the type that its default has. */
const DEFAULTS: Readonly<Record<string, Setting>> = {
  autopromotebodyparts: true,
  flushbuffersonwrite: true,
  httpcookies: "",
  languagecode: "en-us",
  nntpaccountname: "",
  nntpauthenticate: 0,
  nntpconnectiontimeout: 30,
  nntpserver: "",
  nntpserverpickupdirectory: "",
  nntpserverport: 119,
  nntpusessl: false,
  postemailaddress: "",
  postpassword: "",
  postusername: "",
  postuserreplyemailaddress: "",
  postusing: 0,
  savesentitems: true,
  sendemailaddress: "",
  sendpassword: "",
  sendusername: "",
  senduserreplyemailaddress: "",
  sendusing: 1,
  smtpaccountname: "",
  smtpauthenticate: 0,
  smtpconnectiontimeout: 30,
  smtpserver: "",
  smtpserverpickupdirectory: "",
  smtpserverport: 25,
  smtpusessl: false,
  urlgetlatestversion: false,
  urlproxybypass: "",
  urlproxyserver: "",
  usemessageresponsetext: true,
};

/** A field is written as scripts write it: numbers and booleans as text, too. */
function settingOf(name: string, value: FieldValue, like: Setting): Setting {
  if (value === undefined) return like;
  if (typeof like === "string") return toText(value);
  if (typeof like === "boolean")
    return typeof value === "string" ? /^(?:true|-?1)$/i.test(value.trim()) : Boolean(value);
  const number = value instanceof Date || toText(value).trim() === "" ? Number.NaN : Number(value);
  if (!Number.isInteger(number)) throw new CdoError("CDO_E_BAD_DATA", `${name} ${cut(toText(value), 100)}`);
  return number;
}

export class ConfigurationFields extends FieldsBase {
  readonly #settings = new Map<string, Setting>();

  constructor(host: Host) {
    super(host, "Configuration.Fields", NAMESPACE);
    this.reset();
  }

  setting(name: string): Setting {
    return this.#settings.get(NAMESPACE + name) ?? "";
  }

  reset(): void {
    for (const [name, value] of Object.entries(DEFAULTS)) this.#settings.set(NAMESPACE + name, value);
    this.#settings.set(TIME_ZONE, 0);
  }

  protected override sourceOf(name: string): FieldSource | undefined {
    const key = name.toLowerCase();
    if (!this.#settings.has(key)) return undefined;
    if (key === TIME_ZONE) return this.#timeZone();
    const like = DEFAULTS[key.slice(NAMESPACE.length)] ?? 0;
    return {
      read: () => this.#settings.get(key),
      check: (value) => void settingOf(key, value, like),
      write: (value) => void this.#settings.set(key, settingOf(key, value, like)),
    };
  }

  /** A CdoTimeZoneId. A Date of JavaScript is an instant, so there is nothing that the zone would change. */
  #timeZone(): FieldSource {
    return {
      read: () => this.#settings.get(TIME_ZONE),
      check: (value) => void zoneOf(value),
      write: (value) => void this.#settings.set(TIME_ZONE, zoneOf(value)),
    };
  }

  protected override presentNames(): string[] {
    return [...this.#settings.keys()];
  }

  protected override commit(): void {
    // Nothing to do: each setting took effect when it was written, and lives as long as the object.
  }
}

export class Configuration {
  readonly #fields: ConfigurationFields;

  constructor(host: Host) {
    this.#fields = new ConfigurationFields(host);
  }

  /** The committed value of a setting, for our own use. */
  static settingOf(configuration: Configuration, name: string): Setting {
    return configuration.#fields.setting(name);
  }

  get Fields(): ConfigurationFields {
    return this.#fields;
  }

  set Fields(_value: unknown) {
    refuseWrite("Configuration.Fields");
  }

  Load(loadFrom: unknown): void {
    if (loadFrom === CDO_OUTLOOK_EXPRESS)
      throw new CdoError("CDO_E_NOT_AVAILABLE", "Configuration.Load(cdoOutlookExpress)");
    if (loadFrom !== CDO_DEFAULTS && loadFrom !== CDO_IIS)
      throw new CdoError("CDO_E_ARGUMENT1", `Configuration.Load(${cut(toText(loadFrom), 40)})`);
    this.#fields.CancelUpdate();
    this.#fields.reset();
  }

  GetInterface(name: unknown): Configuration {
    if (toText(name).toLowerCase() === "iconfiguration") return this;
    throw new CdoError("E_NOINTERFACE", cut(toText(name), 100));
  }
}

function zoneOf(value: FieldValue): Setting {
  const zone = settingOf(TIME_ZONE, value, 0);
  if (Number(zone) >= 0 && Number(zone) < INVALID_TIME_ZONE) return zone;
  throw new CdoError("CDO_E_BAD_DATA", `${TIME_ZONE} ${zone} (give a CdoTimeZoneId, 0 to 81)`);
}
