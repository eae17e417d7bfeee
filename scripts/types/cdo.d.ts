// The types that scripts are written against: module "cdo", and the same names as globals for scripts without imports.

declare module "cdo" {
  /**
   * The value of a field: text in the `mailheader` namespace, otherwise what the field is (a date, a number, a boolean).
   * Assigning `""`, `null` or `undefined` removes the header on `Update()`.
   */
  export type FieldValue = string | number | boolean | Date | null | undefined;

  /** One field of a {@link Fields} collection. In expressions it stands for its value. */
  export interface Field {
    /** The full name, as `urn:schemas:mailheader:subject`. */
    readonly Name: string;
    /** Setting it takes effect at {@link Fields.Update}. Read-only fields raise CDO_E_PROP_READONLY. */
    get Value(): any;
    set Value(value: FieldValue);
    /** ADO type: 8 text, 3 number, 7 date, 11 boolean. */
    readonly Type: number;
    readonly ActualSize: number;
    readonly DefinedSize: number;
    /** The value without what waits for Update(). */
    readonly OriginalValue: FieldValue;
    readonly UnderlyingValue: FieldValue;
    toString(): string;
  }

  /**
   * A collection of fields. It can be called: `msg.Fields("urn:schemas:mailheader:x-mailer").Value`.
   *
   * Values wait until {@link Fields.Update}; for a message, `DataSource.Save()` must follow to make them permanent.
   *
   * @example
   * msg.Fields("urn:schemas:mailheader:x-checked").Value = "yes";
   * msg.Fields.Update();
   * msg.DataSource.Save();
   */
  export interface Fields extends Iterable<Field> {
    (name: string | number): Field;
    /** By full name without regard to case, or by place from 0. */
    Item(name: string | number): Field;
    /** How many fields are present. */
    readonly Count: number;
    Append(name: string, type?: number, definedSize?: number, attributes?: number, value?: FieldValue): void;
    /** Removes the header at the next Update(). */
    Delete(name: string | number): void;
    /** Moves the waiting values into the message in memory. */
    Update(): void;
    /** Drops the waiting values. */
    CancelUpdate(): void;
    /** Reads anew; drops the waiting values. */
    Resync(): void;
  }

  /**
   * What the transport knows of the message. `Update()` alone commits it; `DataSource.Save()` has no part in that.
   *
   * | Field | |
   * |---|---|
   * | `recipientlist` | `SMTP:a@x.example;SMTP:b@y.example;` — writing replaces the whole list; the To header stays as it is |
   * | `senderemailaddress` | the sender; `<>` is the null sender of bounces |
   * | `messagestatus` | 0 deliver, 2 delete without report, 3 Badmail; 1 (try again later) is an extension |
   * | `arrivaltime` | Date, read-only |
   * | `clientipaddress` | read-only; "" for mail from Pickup |
   * | `pickupfilename` | read-only; "" for mail from the network |
   *
   * @example
   * msg.EnvelopeFields(cdoMessageStatus).Value = cdoStatBadMail;
   * msg.EnvelopeFields.Update();
   */
  export interface EnvelopeFields extends Fields {}

  /** A part of the message: text, attachment, or a multipart that holds parts. */
  export interface BodyPart {
    /** The parts directly below. */
    readonly BodyParts: BodyParts;
    /** The charset of a text part. Setting it writes the text anew in that charset. */
    Charset: string;
    ContentClass: string;
    /** As `text/plain`, without parameters. */
    ContentMediaType: string;
    /** 7bit, 8bit, binary, quoted-printable or base64. */
    ContentTransferEncoding: string;
    /** The MIME headers of this part. */
    readonly Fields: Fields;
    /** The name of an attachment, decoded; "" when it has none. To change it write content-disposition through Fields. */
    readonly FileName: string;
    /** Raises CDO_E_NOT_FOUND on the root. */
    readonly Parent: BodyPart;
    /** One parameter of a structured header, as (`urn:schemas:mailheader:content-type`, `charset`). */
    GetFieldParameter(fieldName: string, parameter: string): string;
    GetInterface(name: "IBodyPart"): BodyPart;
  }

  /** A collection of parts, counted from 1. It can be called: `msg.Attachments(1)`. */
  export interface BodyParts extends Iterable<BodyPart> {
    (index: number): BodyPart;
    Item(index: number): BodyPart;
    readonly Count: number;
    /** By place or by the part itself. Save the message afterwards. */
    Delete(which: number | BodyPart): void;
    /** Removes every item of this collection. */
    DeleteAll(): void;
  }

  /** Where the message is written: the transport's content. */
  export interface DataSource {
    /** Commits all changes of headers, bodies and attachments. Without it they vanish when the script ends. */
    Save(): void;
    readonly IsDirty: boolean;
    readonly SourceClass: string;
  }

  /**
   * The arriving message. Properties read decoded text; setting one changes the message in memory, and
   * `msg.DataSource.Save()` makes the change permanent. Recipients are in {@link Message.EnvelopeFields}: changing `To` changes
   * the header only.
   *
   * @example
   * msg.Subject = "[external] " + msg.Subject;
   * msg.DataSource.Save();
   */
  export interface Message {
    /** The parts that count as attachments, anywhere in the message. */
    readonly Attachments: BodyParts;
    /** True: setting HTMLBody also writes its text to TextBody. False for mail that arrives. */
    AutoGenerateTextBody: boolean;
    BCC: string;
    /** The message as its own root part. */
    readonly BodyPart: BodyPart;
    CC: string;
    readonly DataSource: DataSource;
    DSNOptions: number;
    readonly EnvelopeFields: EnvelopeFields;
    /** Headers, raw (`urn:schemas:mailheader:`) and decoded (`urn:schemas:httpmail:`). */
    readonly Fields: Fields;
    FollowUpTo: string;
    From: string;
    /** The HTML text, "" when there is none. Mail that arrives with both bodies: set both. */
    HTMLBody: string;
    readonly HTMLBodyPart: BodyPart | null;
    Keywords: string;
    /** A read receipt is asked for. */
    MDNRequested: boolean;
    MimeFormatted: boolean;
    Newsgroups: string;
    Organization: string;
    /** Extension: "signed" and "encrypted" messages lose that when their body is changed. */
    readonly Protection: "none" | "signed" | "encrypted";
    /** When the message arrived here. */
    readonly ReceivedTime: Date;
    ReplyTo: string;
    Sender: string;
    /** The Date header. */
    readonly SentOn: Date | undefined;
    Subject: string;
    /** The plain text, "" when there is none. */
    TextBody: string;
    readonly TextBodyPart: BodyPart | null;
    /** Comma-separated; a trailing comma is dropped, so `msg.To += "," + more` is safe. */
    To: string;
    GetInterface(name: "IMessage"): Message;
    GetInterface(name: "IBodyPart"): BodyPart;
    GetInterface(name: "IDataSource"): DataSource;
  }

  /** Whether the remaining sinks run. Instead of setting it a script may return 0 or 1. */
  export interface EventStatus {
    /** cdoRunNextSink (0) or cdoSkipRemainingSinks (1). */
    Value: number;
  }

  /** Third argument: which binding runs the script, and its sinkProperties from the configuration. */
  export interface ArrivalEvent {
    readonly bindingName: string;
    readonly messageId: string;
    readonly properties: Readonly<Record<string, unknown>>;
  }

  /** How a script is bound when the configuration says nothing else: `export const binding: Binding = { … }`. */
  export interface Binding {
    readonly displayName?: string;
    readonly enabled?: boolean;
    /** `RCPT TO=*@example.com;MAIL FROM=boss@*` — conditions are alternatives, `*` stands for any text, case does not count. */
    readonly rule?: string;
    /** 0 runs first, 32767 last; default 24575. */
    readonly priority?: number;
    /** What happens to the message when the script fails: hold (default), continue, badmail. */
    readonly onError?: "hold" | "continue" | "badmail";
    /** false: nothing of the script survives from one message to the next. Default true. */
    readonly cacheable?: boolean;
    readonly limits?: { readonly timeoutMs?: number; readonly memoryMb?: number };
  }

  /** An exception of the object model: `number` is the HRESULT, signed, `name` its name as CDO_E_PROP_READONLY. */
  export interface CdoError extends Error {
    readonly number: number;
    readonly description: string;
  }

  export const cdoNSMailHeader: "urn:schemas:mailheader:";
  export const cdoNSHTTPMail: "urn:schemas:httpmail:";
  export const cdoNSSMTPEnvelope: "http://schemas.microsoft.com/cdo/smtpenvelope/";
  export const cdoNSNNTPEnvelope: "http://schemas.microsoft.com/cdo/nntpenvelope/";
  export const cdoNSConfiguration: "http://schemas.microsoft.com/cdo/configuration/";
  export const cdoNSContacts: "urn:schemas:contacts:";
  export const cdoArrivalTime: "http://schemas.microsoft.com/cdo/smtpenvelope/arrivaltime";
  export const cdoClientIPAddress: "http://schemas.microsoft.com/cdo/smtpenvelope/clientipaddress";
  export const cdoMessageStatus: "http://schemas.microsoft.com/cdo/smtpenvelope/messagestatus";
  export const cdoPickupFileName: "http://schemas.microsoft.com/cdo/smtpenvelope/pickupfilename";
  export const cdoRecipientList: "http://schemas.microsoft.com/cdo/smtpenvelope/recipientlist";
  export const cdoSenderEmailAddress: "http://schemas.microsoft.com/cdo/smtpenvelope/senderemailaddress";
  export const cdoApproved: "urn:schemas:mailheader:approved";
  export const cdoComment: "urn:schemas:mailheader:comment";
  export const cdoContentBase: "urn:schemas:mailheader:content-base";
  export const cdoContentClass: "urn:schemas:mailheader:content-class";
  export const cdoContentDescription: "urn:schemas:mailheader:content-description";
  export const cdoContentDisposition: "urn:schemas:mailheader:content-disposition";
  export const cdoContentId: "urn:schemas:mailheader:content-id";
  export const cdoContentLanguage: "urn:schemas:mailheader:content-language";
  export const cdoContentLocation: "urn:schemas:mailheader:content-location";
  export const cdoContentTransferEncoding: "urn:schemas:mailheader:content-transfer-encoding";
  export const cdoContentType: "urn:schemas:mailheader:content-type";
  export const cdoControl: "urn:schemas:mailheader:control";
  export const cdoDisposition: "urn:schemas:mailheader:disposition";
  export const cdoDispositionNotificationTo: "urn:schemas:mailheader:disposition-notification-to";
  export const cdoDistribution: "urn:schemas:mailheader:distribution";
  export const cdoExpires: "urn:schemas:mailheader:expires";
  export const cdoFollowupTo: "urn:schemas:mailheader:followup-to";
  export const cdoInReplyTo: "urn:schemas:mailheader:in-reply-to";
  export const cdoLines: "urn:schemas:mailheader:lines";
  export const cdoMessageId: "urn:schemas:mailheader:message-id";
  export const cdoMIMEVersion: "urn:schemas:mailheader:mime-version";
  export const cdoNewsgroups: "urn:schemas:mailheader:newsgroups";
  export const cdoOrganization: "urn:schemas:mailheader:organization";
  export const cdoOriginalRecipient: "urn:schemas:mailheader:original-recipient";
  export const cdoPath: "urn:schemas:mailheader:path";
  export const cdoPostingVersion: "urn:schemas:mailheader:posting-version";
  export const cdoReceived: "urn:schemas:mailheader:received";
  export const cdoReferences: "urn:schemas:mailheader:references";
  export const cdoRelayVersion: "urn:schemas:mailheader:relay-version";
  export const cdoReturnPath: "urn:schemas:mailheader:return-path";
  export const cdoReturnReceiptTo: "urn:schemas:mailheader:return-receipt-to";
  export const cdoSummary: "urn:schemas:mailheader:summary";
  export const cdoThreadIndex: "urn:schemas:mailheader:thread-index";
  export const cdoXMailer: "urn:schemas:mailheader:x-mailer";
  export const cdoXref: "urn:schemas:mailheader:xref";
  export const cdoXUnsent: "urn:schemas:mailheader:x-unsent";
  export const cdoXFidelity: "urn:schemas:mailheader:x-cdostreamhighfidelity";
  export const cdoAttachmentFilename: "urn:schemas:httpmail:attachmentfilename";
  export const cdoBcc: "urn:schemas:httpmail:bcc";
  export const cdoCc: "urn:schemas:httpmail:cc";
  export const cdoContentDispositionType: "urn:schemas:httpmail:content-disposition-type";
  export const cdoContentMediaType: "urn:schemas:httpmail:content-media-type";
  export const cdoDate: "urn:schemas:httpmail:date";
  export const cdoDateReceived: "urn:schemas:httpmail:datereceived";
  export const cdoFrom: "urn:schemas:httpmail:from";
  export const cdoHasAttachment: "urn:schemas:httpmail:hasattachment";
  export const cdoHTMLDescription: "urn:schemas:httpmail:htmldescription";
  export const cdoImportance: "urn:schemas:httpmail:importance";
  export const cdoNormalizedSubject: "urn:schemas:httpmail:normalizedsubject";
  export const cdoPriority: "urn:schemas:httpmail:priority";
  export const cdoReplyTo: "urn:schemas:httpmail:reply-to";
  export const cdoSender: "urn:schemas:httpmail:sender";
  export const cdoSubject: "urn:schemas:httpmail:subject";
  export const cdoTextDescription: "urn:schemas:httpmail:textdescription";
  export const cdoThreadTopic: "urn:schemas:httpmail:thread-topic";
  export const cdoTo: "urn:schemas:httpmail:to";
  export const cdoKeywords: "urn:schemas-microsoft-com:office:office#Keywords";
  export const cdoSensitivity: "http://schemas.microsoft.com/exchange/sensitivity";
  export const cdoRunNextSink: 0;
  export const cdoSkipRemainingSinks: 1;
  export const cdoStatSuccess: 0;
  export const cdoStatAbortDelivery: 2;
  export const cdoStatBadMail: 3;
  export const cdoSMTPOnArrival: 1;
  export const cdoNNTPOnPostEarly: 2;
  export const cdoNNTPOnPost: 3;
  export const cdoNNTPOnPostFinal: 4;
  export const cdoDSNDefault: 0;
  export const cdoDSNNever: 1;
  export const cdoDSNFailure: 2;
  export const cdoDSNSuccess: 4;
  export const cdoDSNDelay: 8;
  export const cdoDSNSuccessFailOrDelay: 14;
  export const cdoRefTypeId: 0;
  export const cdoRefTypeLocation: 1;
  export const cdoSendUsingPickup: 1;
  export const cdoSendUsingPort: 2;
  export const cdoPostUsingPickup: 1;
  export const cdoPostUsingPort: 2;
  export const cdoAnonymous: 0;
  export const cdoBasic: 1;
  export const cdoNTLM: 2;
  export const cdoDefaults: -1;
  export const cdoIIS: 1;
  export const cdoOutlookExpress: 2;
  export const cdoSuppressNone: 0;
  export const cdoSuppressImages: 1;
  export const cdoSuppressBGSounds: 2;
  export const cdoSuppressFrames: 4;
  export const cdoSuppressObjects: 8;
  export const cdoSuppressStyleSheets: 16;
  export const cdoSuppressAll: 31;
  export const cdoLow: 0;
  export const cdoNormal: 1;
  export const cdoHigh: 2;
  export const cdoPriorityNonUrgent: -1;
  export const cdoPriorityNormal: 0;
  export const cdoPriorityUrgent: 1;
  export const cdoSensitivityNone: 0;
  export const cdoPersonal: 1;
  export const cdoPrivate: 2;
  export const cdoCompanyConfidential: 3;
  export const cdoPostMessage: 1;
  export const cdoProcessControl: 2;
  export const cdoProcessModerator: 4;
  export const cdo7bit: "7bit";
  export const cdo8bit: "8bit";
  export const cdoBase64: "base64";
  export const cdoBinary: "binary";
  export const cdoMacBinHex40: "mac-binhex40";
  export const cdoQuotedPrintable: "quoted-printable";
  export const cdoUuencode: "uuencode";
  export const cdoBIG5: "big5";
  export const cdoEUC_JP: "euc-jp";
  export const cdoEUC_KR: "euc-kr";
  export const cdoGB2312: "gb2312";
  export const cdoISO_2022_JP: "iso-2022-jp";
  export const cdoISO_2022_KR: "iso-2022-kr";
  export const cdoISO_8859_1: "iso-8859-1";
  export const cdoISO_8859_2: "iso-8859-2";
  export const cdoISO_8859_3: "iso-8859-3";
  export const cdoISO_8859_4: "iso-8859-4";
  export const cdoISO_8859_5: "iso-8859-5";
  export const cdoISO_8859_6: "iso-8859-6";
  export const cdoISO_8859_7: "iso-8859-7";
  export const cdoISO_8859_8: "iso-8859-8";
  export const cdoISO_8859_9: "iso-8859-9";
  export const cdoISO_8859_15: "iso-8859-15";
  export const cdoKOI8_R: "koi8-r";
  export const cdoShift_JIS: "shift-jis";
  export const cdoUS_ASCII: "us-ascii";
  export const cdoUTF_7: "utf-7";
  export const cdoUTF_8: "utf-8";
  export const cdoGif: "image/gif";
  export const cdoJpeg: "image/jpeg";
  export const cdoMessageExternalBody: "message/external-body";
  export const cdoMessagePartial: "message/partial";
  export const cdoMessageRFC822: "message/rfc822";
  export const cdoMultipartAlternative: "multipart/alternative";
  export const cdoMultipartDigest: "multipart/digest";
  export const cdoMultipartMixed: "multipart/mixed";
  export const cdoMultipartRelated: "multipart/related";
  export const cdoTextHTML: "text/html";
  export const cdoTextPlain: "text/plain";
  export const cdoAdoStream: "_Stream";
  export const cdoIBodyPart: "IBodyPart";
  export const cdoIConfiguration: "IConfiguration";
  export const cdoIDataSource: "IDataSource";
  export const cdoIMessage: "IMessage";
  export const cdoIStream: "IStream";
  export const adTypeBinary: 1;
  export const adTypeText: 2;
  export const adCRLF: -1;
  export const adLF: 10;
  export const adCR: 13;
  export const adReadAll: -1;
  export const adReadLine: -2;
  export const adWriteChar: 0;
  export const adWriteLine: 1;
  export const adSaveCreateNotExist: 1;
  export const adSaveCreateOverWrite: 2;
}

declare const cdoNSMailHeader: "urn:schemas:mailheader:";
declare const cdoNSHTTPMail: "urn:schemas:httpmail:";
declare const cdoNSSMTPEnvelope: "http://schemas.microsoft.com/cdo/smtpenvelope/";
declare const cdoNSNNTPEnvelope: "http://schemas.microsoft.com/cdo/nntpenvelope/";
declare const cdoNSConfiguration: "http://schemas.microsoft.com/cdo/configuration/";
declare const cdoNSContacts: "urn:schemas:contacts:";
declare const cdoArrivalTime: "http://schemas.microsoft.com/cdo/smtpenvelope/arrivaltime";
declare const cdoClientIPAddress: "http://schemas.microsoft.com/cdo/smtpenvelope/clientipaddress";
declare const cdoMessageStatus: "http://schemas.microsoft.com/cdo/smtpenvelope/messagestatus";
declare const cdoPickupFileName: "http://schemas.microsoft.com/cdo/smtpenvelope/pickupfilename";
declare const cdoRecipientList: "http://schemas.microsoft.com/cdo/smtpenvelope/recipientlist";
declare const cdoSenderEmailAddress: "http://schemas.microsoft.com/cdo/smtpenvelope/senderemailaddress";
declare const cdoApproved: "urn:schemas:mailheader:approved";
declare const cdoComment: "urn:schemas:mailheader:comment";
declare const cdoContentBase: "urn:schemas:mailheader:content-base";
declare const cdoContentClass: "urn:schemas:mailheader:content-class";
declare const cdoContentDescription: "urn:schemas:mailheader:content-description";
declare const cdoContentDisposition: "urn:schemas:mailheader:content-disposition";
declare const cdoContentId: "urn:schemas:mailheader:content-id";
declare const cdoContentLanguage: "urn:schemas:mailheader:content-language";
declare const cdoContentLocation: "urn:schemas:mailheader:content-location";
declare const cdoContentTransferEncoding: "urn:schemas:mailheader:content-transfer-encoding";
declare const cdoContentType: "urn:schemas:mailheader:content-type";
declare const cdoControl: "urn:schemas:mailheader:control";
declare const cdoDisposition: "urn:schemas:mailheader:disposition";
declare const cdoDispositionNotificationTo: "urn:schemas:mailheader:disposition-notification-to";
declare const cdoDistribution: "urn:schemas:mailheader:distribution";
declare const cdoExpires: "urn:schemas:mailheader:expires";
declare const cdoFollowupTo: "urn:schemas:mailheader:followup-to";
declare const cdoInReplyTo: "urn:schemas:mailheader:in-reply-to";
declare const cdoLines: "urn:schemas:mailheader:lines";
declare const cdoMessageId: "urn:schemas:mailheader:message-id";
declare const cdoMIMEVersion: "urn:schemas:mailheader:mime-version";
declare const cdoNewsgroups: "urn:schemas:mailheader:newsgroups";
declare const cdoOrganization: "urn:schemas:mailheader:organization";
declare const cdoOriginalRecipient: "urn:schemas:mailheader:original-recipient";
declare const cdoPath: "urn:schemas:mailheader:path";
declare const cdoPostingVersion: "urn:schemas:mailheader:posting-version";
declare const cdoReceived: "urn:schemas:mailheader:received";
declare const cdoReferences: "urn:schemas:mailheader:references";
declare const cdoRelayVersion: "urn:schemas:mailheader:relay-version";
declare const cdoReturnPath: "urn:schemas:mailheader:return-path";
declare const cdoReturnReceiptTo: "urn:schemas:mailheader:return-receipt-to";
declare const cdoSummary: "urn:schemas:mailheader:summary";
declare const cdoThreadIndex: "urn:schemas:mailheader:thread-index";
declare const cdoXMailer: "urn:schemas:mailheader:x-mailer";
declare const cdoXref: "urn:schemas:mailheader:xref";
declare const cdoXUnsent: "urn:schemas:mailheader:x-unsent";
declare const cdoXFidelity: "urn:schemas:mailheader:x-cdostreamhighfidelity";
declare const cdoAttachmentFilename: "urn:schemas:httpmail:attachmentfilename";
declare const cdoBcc: "urn:schemas:httpmail:bcc";
declare const cdoCc: "urn:schemas:httpmail:cc";
declare const cdoContentDispositionType: "urn:schemas:httpmail:content-disposition-type";
declare const cdoContentMediaType: "urn:schemas:httpmail:content-media-type";
declare const cdoDate: "urn:schemas:httpmail:date";
declare const cdoDateReceived: "urn:schemas:httpmail:datereceived";
declare const cdoFrom: "urn:schemas:httpmail:from";
declare const cdoHasAttachment: "urn:schemas:httpmail:hasattachment";
declare const cdoHTMLDescription: "urn:schemas:httpmail:htmldescription";
declare const cdoImportance: "urn:schemas:httpmail:importance";
declare const cdoNormalizedSubject: "urn:schemas:httpmail:normalizedsubject";
declare const cdoPriority: "urn:schemas:httpmail:priority";
declare const cdoReplyTo: "urn:schemas:httpmail:reply-to";
declare const cdoSender: "urn:schemas:httpmail:sender";
declare const cdoSubject: "urn:schemas:httpmail:subject";
declare const cdoTextDescription: "urn:schemas:httpmail:textdescription";
declare const cdoThreadTopic: "urn:schemas:httpmail:thread-topic";
declare const cdoTo: "urn:schemas:httpmail:to";
declare const cdoKeywords: "urn:schemas-microsoft-com:office:office#Keywords";
declare const cdoSensitivity: "http://schemas.microsoft.com/exchange/sensitivity";
declare const cdoRunNextSink: 0;
declare const cdoSkipRemainingSinks: 1;
declare const cdoStatSuccess: 0;
declare const cdoStatAbortDelivery: 2;
declare const cdoStatBadMail: 3;
declare const cdoSMTPOnArrival: 1;
declare const cdoNNTPOnPostEarly: 2;
declare const cdoNNTPOnPost: 3;
declare const cdoNNTPOnPostFinal: 4;
declare const cdoDSNDefault: 0;
declare const cdoDSNNever: 1;
declare const cdoDSNFailure: 2;
declare const cdoDSNSuccess: 4;
declare const cdoDSNDelay: 8;
declare const cdoDSNSuccessFailOrDelay: 14;
declare const cdoRefTypeId: 0;
declare const cdoRefTypeLocation: 1;
declare const cdoSendUsingPickup: 1;
declare const cdoSendUsingPort: 2;
declare const cdoPostUsingPickup: 1;
declare const cdoPostUsingPort: 2;
declare const cdoAnonymous: 0;
declare const cdoBasic: 1;
declare const cdoNTLM: 2;
declare const cdoDefaults: -1;
declare const cdoIIS: 1;
declare const cdoOutlookExpress: 2;
declare const cdoSuppressNone: 0;
declare const cdoSuppressImages: 1;
declare const cdoSuppressBGSounds: 2;
declare const cdoSuppressFrames: 4;
declare const cdoSuppressObjects: 8;
declare const cdoSuppressStyleSheets: 16;
declare const cdoSuppressAll: 31;
declare const cdoLow: 0;
declare const cdoNormal: 1;
declare const cdoHigh: 2;
declare const cdoPriorityNonUrgent: -1;
declare const cdoPriorityNormal: 0;
declare const cdoPriorityUrgent: 1;
declare const cdoSensitivityNone: 0;
declare const cdoPersonal: 1;
declare const cdoPrivate: 2;
declare const cdoCompanyConfidential: 3;
declare const cdoPostMessage: 1;
declare const cdoProcessControl: 2;
declare const cdoProcessModerator: 4;
declare const cdo7bit: "7bit";
declare const cdo8bit: "8bit";
declare const cdoBase64: "base64";
declare const cdoBinary: "binary";
declare const cdoMacBinHex40: "mac-binhex40";
declare const cdoQuotedPrintable: "quoted-printable";
declare const cdoUuencode: "uuencode";
declare const cdoBIG5: "big5";
declare const cdoEUC_JP: "euc-jp";
declare const cdoEUC_KR: "euc-kr";
declare const cdoGB2312: "gb2312";
declare const cdoISO_2022_JP: "iso-2022-jp";
declare const cdoISO_2022_KR: "iso-2022-kr";
declare const cdoISO_8859_1: "iso-8859-1";
declare const cdoISO_8859_2: "iso-8859-2";
declare const cdoISO_8859_3: "iso-8859-3";
declare const cdoISO_8859_4: "iso-8859-4";
declare const cdoISO_8859_5: "iso-8859-5";
declare const cdoISO_8859_6: "iso-8859-6";
declare const cdoISO_8859_7: "iso-8859-7";
declare const cdoISO_8859_8: "iso-8859-8";
declare const cdoISO_8859_9: "iso-8859-9";
declare const cdoISO_8859_15: "iso-8859-15";
declare const cdoKOI8_R: "koi8-r";
declare const cdoShift_JIS: "shift-jis";
declare const cdoUS_ASCII: "us-ascii";
declare const cdoUTF_7: "utf-7";
declare const cdoUTF_8: "utf-8";
declare const cdoGif: "image/gif";
declare const cdoJpeg: "image/jpeg";
declare const cdoMessageExternalBody: "message/external-body";
declare const cdoMessagePartial: "message/partial";
declare const cdoMessageRFC822: "message/rfc822";
declare const cdoMultipartAlternative: "multipart/alternative";
declare const cdoMultipartDigest: "multipart/digest";
declare const cdoMultipartMixed: "multipart/mixed";
declare const cdoMultipartRelated: "multipart/related";
declare const cdoTextHTML: "text/html";
declare const cdoTextPlain: "text/plain";
declare const cdoAdoStream: "_Stream";
declare const cdoIBodyPart: "IBodyPart";
declare const cdoIConfiguration: "IConfiguration";
declare const cdoIDataSource: "IDataSource";
declare const cdoIMessage: "IMessage";
declare const cdoIStream: "IStream";
declare const adTypeBinary: 1;
declare const adTypeText: 2;
declare const adCRLF: -1;
declare const adLF: 10;
declare const adCR: 13;
declare const adReadAll: -1;
declare const adReadLine: -2;
declare const adWriteChar: 0;
declare const adWriteLine: 1;
declare const adSaveCreateNotExist: 1;
declare const adSaveCreateOverWrite: 2;

/** JScript's walk through a collection. `for (const part of msg.Attachments)` does the same. */
declare class Enumerator<T = unknown> {
  constructor(collection?: Iterable<T>);
  atEnd(): boolean;
  item(): T;
  moveFirst(): void;
  moveNext(): void;
}

/** Serves "Scripting.Dictionary". Other ProgIDs raise an error that names them. */
declare class ActiveXObject {
  constructor(progId: string);
  [member: string]: any;
}

/** Goes to the service's log, within the limits of the binding. */
declare const console: {
  debug(...values: unknown[]): void;
  error(...values: unknown[]): void;
  info(...values: unknown[]): void;
  log(...values: unknown[]): void;
  trace(...values: unknown[]): void;
  warn(...values: unknown[]): void;
};

declare class TextEncoder {
  readonly encoding: string;
  encode(input?: string): Uint8Array;
}

/** UTF-8 and latin1. */
declare class TextDecoder {
  constructor(label?: string);
  readonly encoding: string;
  decode(input?: ArrayBuffer | ArrayBufferView): string;
}

declare function atob(input: string): string;
declare function btoa(input: string): string;
declare function structuredClone<T>(value: T): T;
declare const crypto: { randomUUID(): string };
