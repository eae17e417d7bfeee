// The types that scripts are written against: module "cdo", and the same names as globals for scripts without imports.
// `onarrival types` places this file into the scripts folder. In the comments: "CDO reference n.n" is the section of the
// reference of the original; `@cdo differs: …` says where OnArrival behaves otherwise, `@cdo extension: …` what the
// original did not have, and `@deprecated not served: raises …` what is there by name only. docs/cdo/ is made from them.

declare module "cdo" {
  /**
   * The value of a field: text in the `mailheader` namespace, otherwise what the field is (a date, a number, a boolean).
   * Assigning `""`, `null` or `undefined` removes the header on `Update()`. CDO reference 1.9.
   */
  export type FieldValue = string | number | boolean | Date | null | undefined;

  /** The full name of a field: a known one, or any header as `urn:schemas:mailheader:<name>`. CDO reference 2.1. */
  export type FieldName =
    | keyof MailHeaderFields
    | keyof HttpMailFields
    | keyof OtherFields
    | `urn:schemas:mailheader:${string}`
    | (string & {});

  /** One field of a {@link Fields} collection (an ADO Field). In expressions it stands for its value. CDO reference 1.9. */
  export interface Field {
    /** String, read-only. The full name in lower case, as `urn:schemas:mailheader:subject`. CDO reference 1.9. */
    readonly Name: string;
    /**
     * Variant, the default member. A value waits until {@link Fields.Update}. A read-only field raises CDO_E_PROP_READONLY,
     * a value that cannot be (a line break in a header) CDO_E_BAD_DATA, an object without a text of its own
     * CDO_E_NO_SUPPORT_FOR_OBJECTS. CDO reference 1.9.
     * @cdo differs: JavaScript has no default members for assignment: `Fields(name) = x` is written `Fields(name).Value = x`.
     */
    get Value(): any;
    set Value(value: FieldValue);
    /** ADO DataTypeEnum, read-only: 8 text, 3 number, 7 date, 11 boolean. CDO reference 1.9. */
    readonly Type: number;
    /** Long, read-only. Characters of the value as text. CDO reference 1.9. */
    readonly ActualSize: number;
    /** Long, read-only. The same as ActualSize. CDO reference 1.9. */
    readonly DefinedSize: number;
    /** Variant, read-only. The value without what waits for Update(). CDO reference 1.9. */
    readonly OriginalValue: FieldValue;
    /** Variant, read-only. The same as OriginalValue. CDO reference 1.9. */
    readonly UnderlyingValue: FieldValue;
    /** Long, read-only. FieldAttributeEnum: 4 (updatable), or 0 when it is read-only. CDO reference 1.9. */
    readonly Attributes: number;
    /** Long, read-only. Always 0. CDO reference 1.9. */
    readonly NumericScale: number;
    /** Long, read-only. Always 0. CDO reference 1.9. */
    readonly Precision: number;
    /** Long, read-only. FieldStatusEnum: always 0, good. CDO reference 1.9. */
    readonly Status: number;
    /** @deprecated not served: raises CDO_E_NOT_AVAILABLE. ADO only. CDO reference 1.9. */
    AppendChunk(data: unknown): never;
    /** @deprecated not served: raises CDO_E_NOT_AVAILABLE. ADO only. CDO reference 1.9. */
    GetChunk(size: number): never;
    /** @cdo extension: the value as text, so that a field stands for its value in expressions. */
    toString(): string;
  }

  /**
   * A collection of fields (ADO Fields). It can be called: `msg.Fields("urn:schemas:mailheader:x-mailer").Value`.
   * Values wait until {@link Fields.Update}; for a message, `DataSource.Save()` must follow to make them permanent.
   * CDO reference 1.2.1 and 1.9.
   *
   * @example
   * msg.Fields("urn:schemas:mailheader:x-checked").Value = "yes";
   * msg.Fields.Update();
   * msg.DataSource.Save();
   */
  export interface Fields extends Iterable<Field> {
    (name: FieldName | number): Field;
    /**
     * The default member: by full name without regard to case, or by place from 0. A header that is not there is a Field
     * without a value; a name of an unknown namespace raises CDO_E_INVALID_PROPERTYNAME. CDO reference 1.9.
     */
    Item(name: FieldName | number): Field;
    /** Long, read-only. How many fields are present. CDO reference 1.9. */
    readonly Count: number;
    /** Creates a field; type, size and attributes are not looked at. CDO reference 1.9. */
    Append(name: FieldName, type?: number, definedSize?: number, attributes?: number, value?: FieldValue): void;
    /** Removes the header at the next Update(). A read-only field raises CDO_E_PROP_CANNOT_DELETE. CDO reference 1.9. */
    Delete(name: FieldName | number): void;
    /** Moves the waiting values into the object in memory; of EnvelopeFields: commits them. CDO reference 1.2.1, 1.9. */
    Update(): void;
    /** Drops the waiting values. CDO reference 1.9. */
    CancelUpdate(): void;
    /** Drops the waiting values and reads anew. CDO reference 1.9. */
    Resync(resyncValues?: number): void;
  }

  /**
   * What the transport knows of the message: {@link SmtpEnvelopeFields}. `Update()` alone commits it; `DataSource.Save()` has
   * no part in that. CDO reference 1.2.1 and 2.3.
   *
   * @example
   * msg.EnvelopeFields(cdoMessageStatus).Value = cdoStatBadMail;
   * msg.EnvelopeFields.Update();
   */
  export interface EnvelopeFields extends Fields {
    (name: keyof SmtpEnvelopeFields | (string & {}) | number): Field;
  }

  /**
   * A part of the message: text, attachment, or a multipart that holds parts. Never made by `new`: it exists inside a
   * message. CDO reference 1.4.
   */
  export interface BodyPart {
    /** IBodyParts, read-only, empty by default. The parts directly below. CDO reference 1.4.1. */
    readonly BodyParts: BodyParts;
    /**
     * String, default `us-ascii`. The charset of a text part. An unknown one raises CDO_E_INVALID_CHARSET. CDO reference 1.4.1.
     * @cdo differs: setting it writes the text that is there anew in that charset; where that lacks a character of it, in
     * utf-8, and the log says so.
     */
    Charset: string;
    /** String, default `""`. The Content-Class header. CDO reference 1.4.1. */
    ContentClass: string;
    /** @deprecated not served: raises CDO_E_PROP_UNSUPPORTED. The original never implemented it. CDO reference 1.4.1. */
    readonly ContentClassName: string;
    /** String, default `text/plain`. Type and subtype without parameters, case-insensitive. CDO reference 1.4.1. */
    ContentMediaType: string;
    /**
     * String, default `7bit`: 7bit, 8bit, binary, quoted-printable, base64, uuencode or mac-binhex40. An unknown one raises
     * CDO_E_INVALID_ENCODING_TYPE; on a multipart all but 7bit, 8bit and binary raise CDO_E_INVALID_ENCODING_FOR_MULTIPART.
     * CDO reference 1.4.1.
     * @cdo differs: the content that is there is encoded anew. Of a BinHex file the data fork is the content.
     */
    ContentTransferEncoding: string;
    /** IDataSource, read-only. The binding object of this part. CDO reference 1.4.1. */
    readonly DataSource: DataSource;
    /** Fields, read-only. The MIME headers of this part. CDO reference 1.4.1. */
    readonly Fields: Fields;
    /**
     * String, read-only, default `""`. The name of an attachment, decoded: `filename` of Content-Disposition, else `name` of
     * Content-Type. Assigning raises CDO_E_PROP_READONLY: write content-disposition through Fields. CDO reference 1.4.1.
     */
    readonly FileName: string;
    /** IBodyPart, read-only. Raises CDO_E_NOT_FOUND on the root. CDO reference 1.4.1. */
    readonly Parent: BodyPart;
    /**
     * Inserts a new, empty part of type application/octet-stream; -1 appends, 0 and less than -1 raise CDO_E_ARGUMENT1. What is
     * there becomes a part of a multipart/mixed first. CDO reference 1.4.2 and 1.3.3.
     */
    AddBodyPart(index?: number): BodyPart;
    /**
     * A copy of the decoded content: text for text parts, else binary. A multipart raises CDO_E_MULTIPART_NO_DATA. `Flush()` puts
     * it back. CDO reference 1.4.2.
     */
    GetDecodedContentStream(): Stream;
    /** A copy of the content as on the wire. A multipart raises CDO_E_MULTIPART_NO_DATA. CDO reference 1.4.2. */
    GetEncodedContentStream(): Stream;
    /** One parameter of a structured header, as (`urn:schemas:mailheader:content-type`, `charset`). A field of another namespace raises CDO_E_PROP_NONHEADER, a missing parameter CDO_E_PROP_NOT_FOUND. CDO reference 1.4.2. */
    GetFieldParameter(fieldName: FieldName, parameter: string): string;
    /** The part seen as another interface; an unknown name raises E_NOINTERFACE. CDO reference 1.4.2. */
    GetInterface(name: "IBodyPart"): BodyPart;
    GetInterface(name: "IDataSource"): DataSource;
    GetInterface(name: "IMessage"): Message;
    GetInterface(name: "_Stream"): Stream;
    /** Headers, content and all parts below, as text of US-ASCII. CDO reference 1.4.2. */
    GetStream(): Stream;
    /**
     * Writes the decoded content to a file, over what is there. A multipart raises CDO_E_MULTIPART_NO_DATA. CDO reference 1.4.2.
     * @cdo differs: the files are those of {@link Stream.SaveToFile}, with its errors.
     */
    SaveToFile(fileName: string): void;
  }

  /**
   * A collection of parts, counted from 1: the children of a part, or the attachments of a message. It can be called:
   * `msg.Attachments(1)`. CDO reference 1.5.
   */
  export interface BodyParts extends Iterable<BodyPart> {
    (index: number): BodyPart;
    /** The default member, 1 … Count; any other place raises CDO_E_NOT_FOUND. CDO reference 1.5. */
    Item(index: number): BodyPart;
    /** Long, read-only. CDO reference 1.5. */
    readonly Count: number;
    /** @cdo extension: the same as Count. */
    readonly length: number;
    /** Like {@link BodyPart.AddBodyPart}; a part added to Attachments gets `Content-Disposition: attachment`. CDO reference 1.5. */
    Add(index?: number): BodyPart;
    /**
     * Removes a part, by place or by itself; CDO_E_NOT_FOUND when it is not in the message. CDO reference 1.5.
     * @cdo differs: a message that is nothing but its attachment becomes an empty text; the original could not delete it.
     */
    Delete(which: number | BodyPart): void;
    /** Removes every item of this collection; of Attachments the attachments only. CDO reference 1.5. */
    DeleteAll(): void;
  }

  /** Where an object is written to. The arriving message is bound to the transport's content. CDO reference 1.6. */
  export interface DataSource {
    /** @deprecated not served: raises CDO_E_NOT_AVAILABLE. Reserved in the original. CDO reference 1.6. */
    readonly ActiveConnection: never;
    /** Boolean. True after a change since the message came or was last saved; an assignment has no effect. CDO reference 1.6. */
    IsDirty: boolean;
    /**
     * Object, read-only. What OpenObject or SaveToObject bound. CDO reference 1.6.
     * @cdo differs: null for the transport's content, where the original gave its stream: the arriving message cannot be bound back to it. Bind a copy, made by OpenObject of a new message.
     */
    readonly Source: object | null;
    /** String, read-only: `_Stream` for the arriving message, `""` when nothing is bound, else the interface that was named. CDO reference 1.6. */
    readonly SourceClass: string;
    /** @deprecated not served: raises CDO_E_NOT_AVAILABLE. Not implemented in the original. CDO reference 1.6. */
    readonly SourceURL: string;
    /** @deprecated not served: raises CDO_E_NOT_AVAILABLE. Not implemented in the original. CDO reference 1.6. */
    Open(url: string): void;
    /**
     * Loads from an object and binds to it, as `_Stream`, `IBodyPart` or `IMessage`; any other name raises
     * CDO_E_UNSUPPORTED_DATASOURCE, the object itself CDO_E_SELF_BINDING. CDO reference 1.6.
     */
    OpenObject(source: object, interfaceName: string): void;
    /**
     * Commits all changes of headers, bodies and attachments; without it they vanish when the script ends. Raises CDO_E_NOT_OPENED
     * on a message that is bound to nothing. CDO reference 1.2.1 and 1.6.
     */
    Save(): void;
    /** @deprecated not served: raises CDO_E_NOT_AVAILABLE. Not implemented in the original. CDO reference 1.6. */
    SaveTo(url: string): void;
    /** @deprecated not served: raises CDO_E_NOT_AVAILABLE. Not implemented in the original. CDO reference 1.6. */
    SaveToContainer(url: string): void;
    /**
     * Writes into an object and binds to it, with the errors of OpenObject. The arriving message is then bound there, and
     * Save() no longer reaches the transport. CDO reference 1.6.
     */
    SaveToObject(source: object, interfaceName: string): void;
  }

  /**
   * A message, and at once its root part. Properties read decoded text; setting one changes the message in memory, and
   * `msg.DataSource.Save()` makes the change permanent. Recipients are in {@link Message.EnvelopeFields}: changing `To` changes
   * the header only. An object without a text of its own, as a promise that was not awaited, raises
   * CDO_E_NO_SUPPORT_FOR_OBJECTS. CDO reference 1.3.
   *
   * @example
   * msg.Subject = "[external] " + msg.Subject;
   * msg.DataSource.Save();
   */
  export interface Message {
    /** IBodyParts, read-only. The parts that count as attachments, anywhere in the message. CDO reference 1.3.1 and 1.5.3. */
    readonly Attachments: BodyParts;
    /**
     * Boolean, True on a new message, False on one that arrived or was opened. While True, setting HTMLBody also writes its text to TextBody;
     * setting TextBody switches it to False. CDO reference 1.3.1.
     */
    AutoGenerateTextBody: boolean;
    /** String, default `""`. The Bcc header as decoded text; recipients of Send, and removed from what is sent. CDO reference 1.3.1. */
    BCC: string;
    /** IBodyPart, read-only. The message as its own root part. CDO reference 1.3.1. */
    readonly BodyPart: BodyPart;
    /** String, default `""`. The Cc header. CDO reference 1.3.1. */
    CC: string;
    /** IConfiguration. Settings for Send, Reply and Forward; each message has its own by default. CDO reference 1.3.1 and 1.7. */
    Configuration: Configuration;
    /** IDataSource, read-only. CDO reference 1.3.1 and 1.6. */
    readonly DataSource: DataSource;
    /** CdoDSNOptions, default cdoDSNDefault. Which delivery reports Send asks for; no header. CDO reference 1.3.1 and 2.7. */
    DSNOptions: number;
    /** Fields, read-only. The envelope of the message that arrived. CDO reference 1.3.1 and 2.3. */
    readonly EnvelopeFields: EnvelopeFields;
    /** Fields, read-only. Headers raw (`urn:schemas:mailheader:`) and decoded (`urn:schemas:httpmail:`). CDO reference 1.3.1, 2.2, 2.4. */
    readonly Fields: Fields;
    /** String, default `""`. The Followup-To header. CDO reference 1.3.1. */
    FollowUpTo: string;
    /** String, default `""`. The From header; Send raises CDO_E_FROM_MISSING when it and Sender are empty. CDO reference 1.3.1. */
    From: string;
    /** String, default `""`. The HTML text. On mail that arrived with both bodies, set both; an empty one beside a text is what most readers show, so delete HTMLBodyPart instead. CDO reference 1.3.1 and 1.3.3. */
    HTMLBody: string;
    /**
     * IBodyPart, read-only. The part behind HTMLBody. CDO reference 1.3.1.
     * @cdo differs: null when there is none.
     */
    readonly HTMLBodyPart: BodyPart | null;
    /** String, default `""`. The Keywords header. CDO reference 1.3.1. */
    Keywords: string;
    /** Boolean, default False. A read receipt is asked for: Disposition-Notification-To with the From address. CDO reference 1.3.1. */
    MDNRequested: boolean;
    /** Boolean, default True. False: the HTML is gone, and attachments go out as uuencoded text. CDO reference 1.3.1, 1.3.3. */
    MimeFormatted: boolean;
    /** String, default `""`. The Newsgroups header. CDO reference 1.3.1. */
    Newsgroups: string;
    /** String, default `""`. The Organization header. CDO reference 1.3.1. */
    Organization: string;
    /** @cdo extension: "signed" and "encrypted" messages lose that when their body is changed. */
    readonly Protection: "none" | "signed" | "encrypted";
    /** Date, read-only. When the message arrived here. CDO reference 1.3.1. */
    readonly ReceivedTime: Date | undefined;
    /** String, default `""`. The Reply-To header. CDO reference 1.3.1. */
    ReplyTo: string;
    /** String, default `""`. The Sender header; Send prefers it over From for the envelope. CDO reference 1.3.1. */
    Sender: string;
    /** Date, read-only. The Date header. CDO reference 1.3.1. */
    readonly SentOn: Date | undefined;
    /** String, default `""`. The decoded Subject; encoded words are made when it is written. CDO reference 1.3.1. */
    Subject: string;
    /** String, default `""`. The plain text. CDO reference 1.3.1 and 1.3.3. */
    TextBody: string;
    /**
     * IBodyPart, read-only. The part behind TextBody. CDO reference 1.3.1.
     * @cdo differs: null when there is none.
     */
    readonly TextBodyPart: BodyPart | null;
    /** String, default `""`. Comma-separated; a trailing comma is dropped, so `msg.To += "," + more` is safe. CDO reference 1.3.1. */
    To: string;
    /**
     * Appends a file or a page of the network as an attachment: base64, type and name by its extension or as the server says. A
     * `file://`, http or https URL or a path; user name and password are for http and https. What is missing raises
     * CDO_E_HTTP_NOT_FOUND, what the server refuses CDO_E_HTTP_FORBIDDEN, any other failure and a file beyond limits.growthBytes
     * CDO_E_HTTP_FAILED. CDO reference 1.3.2.
     * @cdo differs: a file below the script folder (paths are relative to it) that `allow: { read: ["assets/**"] }` of the binding covers, or a URL that begins with one of its `allow: { fetch: ["https://host/path/"] }`, else CDO_E_UNSAFE_OPERATION; without any `allow.fetch` http and https raise CDO_E_NOT_AVAILABLE, and ftp does always. The script waits for the page, within limits.timeoutMs, limits.requests and limits.requestBytes.
     */
    AddAttachment(url: string, userName?: string, password?: string): BodyPart;
    /**
     * Adds a file beside the HTML under multipart/related, named by cdoRefTypeId (Content-ID) or cdoRefTypeLocation
     * (Content-Location). Without HTML it raises CDO_E_BAD_DATA. CDO reference 1.3.2 and 1.3.3.
     * @cdo differs: the files and pages are those of {@link Message.AddAttachment}.
     */
    AddRelatedBodyPart(
      url: string,
      reference: string,
      referenceType: number,
      userName?: string,
      password?: string,
    ): BodyPart;
    /**
     * The page becomes the body, with the images, sounds, frames, objects and style sheets that it refers to as related parts, each
     * named by its Content-Location. `flags` is a sum of CdoMHTMLFlags of what stays outside; those and what cannot be fetched are
     * referred to by absolute URLs. AutoGenerateTextBody makes the plain text of it, else there is none; attachments stay. What is
     * no HTML raises CDO_E_INVALID_CONTENT_TYPE, other flags CDO_E_ARGUMENT2. CDO reference 1.3.2 and 1.3.3.
     *
     * @example
     * msg.CreateMHTMLBody("https://intranet.example.com/news.html", cdoSuppressFrames + cdoSuppressObjects);
     * msg.DataSource.Save();
     * @cdo differs: files and pages are those of {@link Message.AddAttachment}, with its errors; a page of the network embeds no files. A resource that is not granted, fails, or comes after limits.requests is left outside, with a warning in the log. User name and password go to the server of the page only.
     */
    CreateMHTMLBody(url: string, flags?: number, userName?: string, password?: string): void;
    /** A new message with the text, the attachments, the pictures of the HTML and the other texts of this one, no recipients, and `FW: ` before the subject. CDO reference 1.3.2. */
    Forward(): Message;
    /** The message seen as another interface; an unknown name raises E_NOINTERFACE. CDO reference 1.3.2. */
    GetInterface(name: "IMessage"): Message;
    GetInterface(name: "IBodyPart"): BodyPart;
    GetInterface(name: "IDataSource"): DataSource;
    GetInterface(name: "_Stream"): Stream;
    /** A copy of the whole message as text of US-ASCII. `Flush()` puts it back, `DataSource.Save()` commits it. CDO reference 1.3.2. */
    GetStream(): Stream;
    /**
     * Posts to a newsgroup. Without From, Subject and Newsgroups it raises CDO_E_INVALID_POST. CDO reference 1.3.2.
     * @cdo differs: there is no news service: a complete message raises CDO_E_INVALID_POST_OPTION.
     */
    Post(): void;
    /** A new message to the newsgroup, FollowUpTo before Newsgroups, with `RE: ` before the subject. CDO reference 1.3.2. */
    PostReply(): Message;
    /**
     * A new message to ReplyTo, else From, with `RE: ` before the subject and the text quoted below: also in HTMLBody where the
     * original has one, which is what its reader sees. Write the answer into both, or set usemessageresponsetext of the
     * message's Configuration to False first and quote nothing. CDO reference 1.3.2.
     *
     * @example
     * msg.Configuration.Fields(cdoUseMessageResponseText).Value = false;
     * msg.Configuration.Fields.Update();
     * const answer = msg.Reply();
     */
    Reply(): Message;
    /** As {@link Message.Reply}, and the other recipients of To and Cc in Cc. CDO reference 1.3.2. */
    ReplyAll(): Message;
    /**
     * Sends the message. No To, CC and BCC raise CDO_E_RECIPIENT_MISSING, neither From nor Sender CDO_E_FROM_MISSING.
     * CDO reference 1.3.2.
     * @cdo differs: needs `allow: { send: true }` of the binding, else CDO_E_UNSAFE_OPERATION; it goes into the queue when the script has ended without a fault. With sendusing 2 it needs `allow: { smtp: ["host:port"] }` instead, and the queue delivers it to that server: CDO_E_NOT_AVAILABLE without any such grant, CDO_E_UNSAFE_OPERATION for another server.
     */
    Send(): void;
  }

  /**
   * Settings of Send, Reply and Forward: {@link ConfigurationFields}. CDO reference 1.7 and 2.6.
   *
   * @example
   * msg.Configuration.Fields(cdoUseMessageResponseText).Value = false;
   * msg.Configuration.Fields.Update();
   * const answer = msg.Reply(); // without the text of msg
   */
  export interface Configuration {
    /** Fields, read-only. {@link ConfigurationFields}. CDO reference 1.7 and 2.6. */
    readonly Fields: Fields;
    /**
     * Sets the fields back to their defaults: cdoDefaults (-1) or cdoIIS (1). CDO reference 1.7.
     * @cdo differs: cdoOutlookExpress raises CDO_E_NOT_AVAILABLE, any other number CDO_E_ARGUMENT1.
     */
    Load(loadFrom: number, url?: string): void;
    /** The object itself for IConfiguration; an unknown name raises E_NOINTERFACE. CDO reference 1.7. */
    GetInterface(name: "IConfiguration"): Configuration;
  }

  /** A stream of text or bytes (ADODB.Stream) over a copy of the content it came from. CDO reference 1.10. */
  export interface Stream {
    /** Long, read-only. Bytes. CDO reference 1.10. */
    readonly Size: number;
    /** Long. Byte offset from 0. CDO reference 1.10. */
    Position: number;
    /** Boolean, read-only. At the end. CDO reference 1.10. */
    readonly EOS: boolean;
    /** adTypeBinary (1) or adTypeText (2); changes at Position 0 only. CDO reference 1.10. */
    Type: number;
    /** String. Charset of a text stream; changes at Position 0 only. CDO reference 1.10. */
    Charset: string;
    /** adCRLF (-1, default), adLF (10) or adCR (13). CDO reference 1.10. */
    LineSeparator: number;
    /** ConnectModeEnum: 0 unknown, 1 read, 2 write, 3 both; changes while the stream is closed only. CDO reference 1.10. */
    Mode: number;
    /** Long, read-only: 0 closed, 1 open. CDO reference 1.10. */
    readonly State: number;
    /** Opens a stream made by `new`; those that CDO gives are open. CDO reference 1.10. */
    Open(source?: unknown, mode?: number, options?: number, userName?: string, password?: string): void;
    /** Closes it. Everything that needs an open stream then raises adErrObjectClosed. CDO reference 1.10. */
    Close(): void;
    /** Bytes from Position, all by default; null at the end. Binary streams only. CDO reference 1.10. */
    Read(count?: number): Uint8Array | null;
    /** Text from Position: all (-1, default), a line (-2) or so many characters. Text streams only. CDO reference 1.10. */
    ReadText(count?: number): string;
    /** Bytes at Position. Binary streams only. CDO reference 1.10. */
    Write(bytes: Uint8Array): void;
    /**
     * Text at Position; adWriteLine (1) appends the line separator. Text streams only. What the charset lacks becomes a
     * question mark; a charset that can only be read raises CDO_E_INVALID_CHARSET. CDO reference 1.10.
     */
    WriteText(text: string, options?: number): void;
    /** Cuts the stream off at Position. CDO reference 1.10. */
    SetEOS(): void;
    /** Moves behind the next line separator. CDO reference 1.10. */
    SkipLine(): void;
    /** Copies from Position to another stream, all by default. CDO reference 1.10. */
    CopyTo(destination: Stream, count?: number): void;
    /** Puts the content back into the object that it came from; `DataSource.Save()` commits it. CDO reference 1.2.1, 1.10. */
    Flush(): void;
    /** Ends an operation that is under way: there is none here, so it does nothing. CDO reference 1.10. */
    Cancel(): void;
    /**
     * Writes the whole content to a file; Position is 0 afterwards. adSaveCreateNotExist (1, default) raises adErrWriteFile when the
     * file is there, adSaveCreateOverWrite (2) replaces it; other options raise adErrInvalidArgument. CDO reference 1.10.
     *
     * @example
     * msg.GetStream().SaveToFile("archive/last.eml", adSaveCreateOverWrite);
     * @cdo differs: a file below the script folder (paths are relative to it) that `allow: { write: ["archive/**"] }` of the binding covers, else CDO_E_UNSAFE_OPERATION; without any `allow.write` it raises CDO_E_NOT_AVAILABLE. Folders that the path names are made; scripts, packages and hidden files are never written. The file is written at once, also when the script fails later.
     */
    SaveToFile(fileName: string, options?: number): void;
    /**
     * The content of a file, from Position 0. CDO reference 1.10.
     * @cdo differs: the files are those of {@link Message.AddAttachment}, with its errors; without any `allow.read` it raises CDO_E_NOT_AVAILABLE.
     */
    LoadFromFile(fileName: string): void;
  }

  /**
   * The messages of the service's Drop folder. CDO reference 1.8.
   *
   * @example
   * const messages = new CDO.DropDirectory().GetMessages();
   * for (const message of messages) console.log(messages.FileName(message), message.Subject);
   */
  export interface DropDirectory {
    /**
     * The messages that are there now, oldest first. CDO reference 1.8.
     * @cdo differs: needs `allow: { drop: true }` of the binding, else CDO_E_NOT_AVAILABLE; a folder other than the service's Drop raises CDO_E_UNSAFE_OPERATION, no service around (`onarrival run`) CDO_E_NO_DEFAULT_DROP_DIR. At most sandbox.maxDropMessages are listed, and files that the service has not written are not.
     */
    GetMessages(folder?: string): Messages;
  }

  /** The messages of a {@link DropDirectory}. CDO reference 1.8. */
  export interface Messages {
    /** Messages: `messages(1)` is `messages.Item(1)`. CDO reference 1.8. */
    (index: number): Message;
    /** Long, read-only. CDO reference 1.8. */
    readonly Count: number;
    /** @cdo extension: the same as Count. */
    readonly length: number;
    /**
     * The message at a place from 1; any other raises CDO_E_NOT_FOUND, and so does a file that is gone. CDO reference 1.8.
     * @cdo differs: it is read when it is asked for, within limits.messages, limits.requests and limits.requestBytes, and bound to no file: `DataSource.Save()` raises CDO_E_NOT_OPENED.
     */
    Item(index: number): Message;
    /** The name of its file, without the folder. CDO reference 1.8. */
    FileName(which: number | Message): string;
    /** Deletes the file; the messages behind it move up by one. CDO reference 1.8. */
    Delete(which: number | Message): void;
    /** Deletes all files of the collection. What is left raises CDO_E_NOT_ALL_DELETED. CDO reference 1.8. */
    DeleteAll(): void;
    [Symbol.iterator](): Iterator<Message>;
  }

  /**
   * Whether the remaining sinks run. Instead of setting it a script may return 0 or 1. CDO reference 1.2.
   */
  export interface EventStatus {
    /**
     * CdoEventStatus: cdoRunNextSink (0, default) or cdoSkipRemainingSinks (1). CDO reference 1.2.
     * @cdo differs: an object with a Value, as JavaScript has no out-parameters.
     */
    Value: number;
  }

  /** An exception of the object model: `number` is the HRESULT, signed, `name` its name as CDO_E_PROP_READONLY. CDO reference 1.11. */
  export interface CdoError extends Error {
    /** The HRESULT as a signed 32-bit number, as VBScript's Err.Number showed it. CDO reference 1.11. */
    readonly number: number;
    /** What went wrong and what to do, without the number. CDO reference 1.11. */
    readonly description: string;
  }

  /** @cdo extension: the third argument: which binding runs the script, and its sinkProperties from the configuration. */
  export interface ArrivalEvent {
    /** @cdo extension: the name of the binding. */
    readonly bindingName: string;
    /** @cdo extension: the identity of the message in the queue. */
    readonly messageId: string;
    /** @cdo extension: sinkProperties of the binding. */
    readonly properties: Readonly<Record<string, unknown>>;
  }

  /** @cdo extension: how a script is bound when the configuration says nothing else: `export const binding: Binding = { … }`. */
  export interface Binding {
    readonly displayName?: string;
    readonly enabled?: boolean;
    /** `RCPT TO=*@example.com;MAIL FROM=boss@*` — conditions are alternatives, `*` at the ends of a name or a domain stands for any text, case does not count. */
    readonly rule?: string;
    /** 0 runs first, 32767 last; default 24575. */
    readonly priority?: number;
    /** What happens to the message when the script fails: hold (default), continue, badmail. */
    readonly onError?: "hold" | "continue" | "badmail";
    /** false: nothing of the script survives from one message to the next. Default true. */
    readonly cacheable?: boolean;
    /** shadow: runs on live mail, and what it would have done is recorded and not applied. Default live. */
    readonly mode?: "live" | "shadow";
    /** Of a shadow: display name or file name of the live script that it is compared with; default: the same name without `.next`. */
    readonly compareWith?: string;
    readonly limits?: {
      /** Wall time per message with waiting, ms; default 1000. */
      readonly timeoutMs?: number;
      /** Time in which the script itself runs, ms; default 1000. */
      readonly cpuMs?: number;
      /** V8 heap and buffers, MiB; default 64. */
      readonly memoryMb?: number;
      /** Buffers that may be left when it waits or ends, MiB; default memoryMb. */
      readonly externalMb?: number;
      readonly logLines?: number;
      readonly logBytes?: number;
      readonly hostCalls?: number;
      readonly growthBytes?: number;
      readonly changes?: number;
      readonly recipientsAdded?: number;
      readonly messages?: number;
      readonly copiedBytes?: number;
      readonly requests?: number;
      readonly requestBytes?: number;
      readonly sentMessages?: number;
      readonly sendHops?: number;
    };
    /** What `event.properties` holds when the configuration says nothing else. */
    readonly sinkProperties?: Readonly<Record<string, unknown>>;
  }

  /**
   * @cdo extension: one case of the test beside a script: `export const cases: ScriptTest[] = [ … ]` in `<script>.test.ts`.
   * A version whose cases do not all pass does not go live.
   */
  export interface ScriptTest {
    /** @cdo extension: what the log calls the case. */
    readonly name: string;
    /** @cdo extension: file with the message, a path below the scripts folder. Either this or `message`. */
    readonly eml?: string;
    /** @cdo extension: the message as text; lines may end in LF. All messages of a file together have at most 64 KB. */
    readonly message?: string;
    /** @cdo extension: where it is silent: no sender, no recipients, no client address. */
    readonly envelope?: {
      readonly sender?: string;
      readonly recipients?: readonly string[];
      readonly clientAddress?: string;
    };
    /** @cdo extension: `event.properties`; default: those that the script exports with its binding. */
    readonly properties?: Readonly<Record<string, unknown>>;
    /**
     * @cdo extension: what `fetch` is answered, by URL or by method and URL ("POST https://example.com/"): the body, or
     * status (200), headers and body. What is not named is refused.
     */
    readonly fetch?: Readonly<
      Record<
        string,
        | string
        | { readonly status?: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: string }
      >
    >;
    /** @cdo extension: what the script's key-value store holds before; it is empty otherwise, and gone afterwards. */
    readonly kv?: Readonly<Record<string, string>>;
    /**
     * @cdo extension: what `dns.resolve` is answered, by type and name ("MX example.com"): the records, `[]` for none. What is
     * not named is refused.
     */
    readonly dns?: Readonly<Record<string, readonly unknown[]>>;
    /** @cdo extension: what `secret` answers, by name. Others that the bindings of the script grant are "secret-" and the name. */
    readonly secrets?: Readonly<Record<string, string>>;
    /** @cdo extension: what must be true behind the script. Without it, that the script ends without a fault. */
    readonly expect?: ScriptExpectation;
  }
  /** @cdo extension: what a {@link ScriptTest} expects. What is not named is not looked at. A text stands for itself, a RegExp for what it matches. */
  export interface ScriptExpectation {
    /** @cdo extension: cdoRunNextSink (0) or cdoSkipRemainingSinks (1). */
    readonly verdict?: 0 | 1;
    /** @cdo extension: messagestatus: 0 go on, 2 delete, 3 Badmail. */
    readonly status?: number;
    /** @cdo extension: the sender of the envelope. */
    readonly sender?: string | RegExp;
    /** @cdo extension: the recipients of the envelope, in any order. */
    readonly recipients?: readonly string[];
    /**
     * @cdo extension: fields by name, as the next script reads them: `subject` (decoded), `x-tag` or a full name as
     * `urn:schemas:httpmail:textdescription`. null: the field is not there.
     */
    readonly fields?: Readonly<Record<string, string | number | boolean | RegExp | null>>;
    /** @cdo extension: the text body, decoded. */
    readonly text?: string | RegExp;
    /** @cdo extension: the HTML body, decoded. */
    readonly html?: string | RegExp;
    /** @cdo extension: true: not one byte of the message differs, nor the envelope; false: something does. */
    readonly unchanged?: boolean;
    /** @cdo extension: a line that the script wrote to the console. */
    readonly log?: string | RegExp;
    /** @cdo extension: how many messages the script sent. In a test they go nowhere. */
    readonly sent?: number;
    /** @cdo extension: what the script fetched, in order, as "GET https://example.com/". */
    readonly fetched?: readonly (string | RegExp)[];
    /** @cdo extension: keys of the script's store, each with its value as text; null: it is not there. */
    readonly kv?: Readonly<Record<string, string | RegExp | null>>;
    /** @cdo extension: the script fails, with this message. */
    readonly fault?: string | RegExp;
  }

  /** The header fields with a name of their own, raw as on the wire. Any other header is `urn:schemas:mailheader:<name>`. CDO reference 2.2. */
  export interface MailHeaderFields {
    /** Approved (NNTP moderation). CDO reference 2.2. */
    "urn:schemas:mailheader:approved": string;
    /** Bcc, raw. CDO reference 2.2. */
    "urn:schemas:mailheader:bcc": string;
    /** Cc, raw. CDO reference 2.2. */
    "urn:schemas:mailheader:cc": string;
    /** From, raw. CDO reference 2.2. */
    "urn:schemas:mailheader:from": string;
    /** To, raw. CDO reference 2.2. */
    "urn:schemas:mailheader:to": string;
    /** Sender, raw. CDO reference 2.2. */
    "urn:schemas:mailheader:sender": string;
    /** Reply-To, raw. CDO reference 2.2. */
    "urn:schemas:mailheader:reply-to": string;
    /** Subject, raw: encoded words as on the wire. CDO reference 2.2. */
    "urn:schemas:mailheader:subject": string;
    /** Date, the raw text. CDO reference 2.2. */
    "urn:schemas:mailheader:date": string;
    /**
     * Comment. CDO reference 2.2.
     * @cdo differs: the header of this name; the original mapped it to Comments.
     */
    "urn:schemas:mailheader:comment": string;
    /** Content-Base. CDO reference 2.2. */
    "urn:schemas:mailheader:content-base": string;
    /** Content-Class, as urn:content-classes:message. CDO reference 2.2. */
    "urn:schemas:mailheader:content-class": string;
    /** Content-Description. CDO reference 2.2. */
    "urn:schemas:mailheader:content-description": string;
    /** Content-Disposition with its parameters. CDO reference 2.2. */
    "urn:schemas:mailheader:content-disposition": string;
    /** Content-ID. CDO reference 2.2. */
    "urn:schemas:mailheader:content-id": string;
    /** Content-Language. CDO reference 2.2. */
    "urn:schemas:mailheader:content-language": string;
    /** Content-Location. CDO reference 2.2. */
    "urn:schemas:mailheader:content-location": string;
    /**
     * Content-Transfer-Encoding. CDO reference 2.2.
     * @cdo differs: the content that is there is encoded anew, as by {@link BodyPart.ContentTransferEncoding}, with its error on a multipart; an unknown one is only written.
     */
    "urn:schemas:mailheader:content-transfer-encoding": string;
    /** Content-Type with its parameters; on a message it re-types the root. CDO reference 2.2. */
    "urn:schemas:mailheader:content-type": string;
    /** Control (NNTP). CDO reference 2.2. */
    "urn:schemas:mailheader:control": string;
    /** Disposition (MDN reports). CDO reference 2.2. */
    "urn:schemas:mailheader:disposition": string;
    /** Disposition-Notification-To. CDO reference 2.2. */
    "urn:schemas:mailheader:disposition-notification-to": string;
    /** Distribution (NNTP). CDO reference 2.2. */
    "urn:schemas:mailheader:distribution": string;
    /** Expires. CDO reference 2.2. */
    "urn:schemas:mailheader:expires": string;
    /** Followup-To (NNTP). CDO reference 2.2. */
    "urn:schemas:mailheader:followup-to": string;
    /** In-Reply-To. CDO reference 2.2. */
    "urn:schemas:mailheader:in-reply-to": string;
    /** Keywords. CDO reference 2.2. */
    "urn:schemas:mailheader:keywords": string;
    /**
     * Lines (NNTP). CDO reference 2.2.
     * @cdo differs: can be written.
     */
    "urn:schemas:mailheader:lines": string;
    /** Message-ID; Send makes one when it is absent. CDO reference 2.2. */
    "urn:schemas:mailheader:message-id": string;
    /** MIME-Version. CDO reference 2.2. */
    "urn:schemas:mailheader:mime-version": string;
    /** Newsgroups. CDO reference 2.2. */
    "urn:schemas:mailheader:newsgroups": string;
    /** Organization. CDO reference 2.2. */
    "urn:schemas:mailheader:organization": string;
    /** Original-Recipient. CDO reference 2.2. */
    "urn:schemas:mailheader:original-recipient": string;
    /** Path (NNTP). CDO reference 2.2. */
    "urn:schemas:mailheader:path": string;
    /** Posting-Version (NNTP). CDO reference 2.2. */
    "urn:schemas:mailheader:posting-version": string;
    /** Relay-Version (NNTP). CDO reference 2.2. */
    "urn:schemas:mailheader:relay-version": string;
    /** Received: all of them, apart by CRLF; assigning raises CDO_E_PROP_READONLY. CDO reference 2.2. */
    readonly "urn:schemas:mailheader:received": string;
    /** References. CDO reference 2.2. */
    "urn:schemas:mailheader:references": string;
    /** Return-Path. CDO reference 2.2. */
    "urn:schemas:mailheader:return-path": string;
    /** Return-Receipt-To. CDO reference 2.2. */
    "urn:schemas:mailheader:return-receipt-to": string;
    /** Summary. CDO reference 2.2. */
    "urn:schemas:mailheader:summary": string;
    /** Thread-Index. CDO reference 2.2. */
    "urn:schemas:mailheader:thread-index": string;
    /** Thread-Topic. CDO reference 2.2. */
    "urn:schemas:mailheader:thread-topic": string;
    /** X-Mailer. CDO reference 2.2. */
    "urn:schemas:mailheader:x-mailer": string;
    /** X-Priority. CDO reference 2.2. */
    "urn:schemas:mailheader:x-priority": string;
    /** Importance, the raw word. CDO reference 2.2. */
    "urn:schemas:mailheader:importance": string;
    /** Priority, the raw word. CDO reference 2.2. */
    "urn:schemas:mailheader:priority": string;
    /** Sensitivity, the raw word. CDO reference 2.2. */
    "urn:schemas:mailheader:sensitivity": string;
    /** X-Unsent. CDO reference 2.2. */
    "urn:schemas:mailheader:x-unsent": string;
    /**
     * internal to the original; here a header like any other. CDO reference 2.2.
     * @cdo differs: has no meaning of its own.
     */
    "urn:schemas:mailheader:x-cdostreamhighfidelity": string;
    /** Xref (NNTP). CDO reference 2.2. */
    "urn:schemas:mailheader:xref": string;
  }

  /** The six fields of {@link EnvelopeFields}. CDO reference 2.3. */
  export interface SmtpEnvelopeFields {
    /** Date: when the message arrived, UTC. CDO reference 2.3. */
    readonly "http://schemas.microsoft.com/cdo/smtpenvelope/arrivaltime": Date;
    /** Address of the client; `""` for mail from Pickup. CDO reference 2.3. */
    readonly "http://schemas.microsoft.com/cdo/smtpenvelope/clientipaddress": string;
    /**
     * CdoMessageStat: 0 deliver, 2 delete without report, 3 Badmail. CDO reference 2.3.
     * @cdo extension: 1 tries again later.
     */
    "http://schemas.microsoft.com/cdo/smtpenvelope/messagestatus": number;
    /** File name in Pickup; `""` for mail from the network. CDO reference 2.3. */
    readonly "http://schemas.microsoft.com/cdo/smtpenvelope/pickupfilename": string;
    /** `SMTP:a@x.example;SMTP:b@y.example;`. Writing replaces the whole list; the To header stays. An item that is no address raises CDO_E_BAD_DATA; a missing `SMTP:` and empty items are accepted. CDO reference 2.3. */
    "http://schemas.microsoft.com/cdo/smtpenvelope/recipientlist": string;
    /** The sender; `<>` is the null sender of bounces. CDO reference 2.3. */
    "http://schemas.microsoft.com/cdo/smtpenvelope/senderemailaddress": string;
  }

  /** Fields in decoded form. CDO reference 2.4. */
  export interface HttpMailFields {
    /** File name of an attachment; fields of a body part. CDO reference 2.4. */
    readonly "urn:schemas:httpmail:attachmentfilename": string;
    /** Decoded text of the header. CDO reference 2.4. */
    "urn:schemas:httpmail:bcc": string;
    /** Decoded text of the header. CDO reference 2.4. */
    "urn:schemas:httpmail:cc": string;
    /** Decoded text of the header. CDO reference 2.4. */
    "urn:schemas:httpmail:from": string;
    /** Decoded text of the header. CDO reference 2.4. */
    "urn:schemas:httpmail:reply-to": string;
    /** Decoded text of the header. CDO reference 2.4. */
    "urn:schemas:httpmail:sender": string;
    /** Decoded text of the header. CDO reference 2.4. */
    "urn:schemas:httpmail:to": string;
    /** Decoded text of the header. CDO reference 2.4. */
    "urn:schemas:httpmail:subject": string;
    /** `attachment` or `inline`; the parameters of the header stay. CDO reference 2.4. */
    "urn:schemas:httpmail:content-disposition-type": string;
    /** Type and subtype of Content-Type. CDO reference 2.4. */
    "urn:schemas:httpmail:content-media-type": string;
    /** The Date header as a date. CDO reference 2.4. */
    "urn:schemas:httpmail:date": Date;
    /** When the message arrived. CDO reference 2.4. */
    readonly "urn:schemas:httpmail:datereceived": Date;
    /** Whether there is an attachment. CDO reference 2.4. */
    readonly "urn:schemas:httpmail:hasattachment": boolean;
    /** The same as HTMLBody. CDO reference 2.4. */
    "urn:schemas:httpmail:htmldescription": string;
    /** cdoLow, cdoNormal or cdoHigh; another number raises CDO_E_BAD_DATA. CDO reference 2.4. */
    "urn:schemas:httpmail:importance": number;
    /** Subject without reply and forward prefixes. CDO reference 2.4. */
    readonly "urn:schemas:httpmail:normalizedsubject": string;
    /** cdoPriorityNonUrgent, …Normal or …Urgent; another number raises CDO_E_BAD_DATA. CDO reference 2.4. */
    "urn:schemas:httpmail:priority": number;
    /** The same as TextBody. CDO reference 2.4. */
    "urn:schemas:httpmail:textdescription": string;
    /** Thread-Topic, decoded. CDO reference 2.4. */
    readonly "urn:schemas:httpmail:thread-topic": string;
  }

  /** Fields of other namespaces. CDO reference 2.1 and 2.4. */
  export interface OtherFields {
    /** cdoSensitivityValues of the Sensitivity header. CDO reference 2.1. */
    "http://schemas.microsoft.com/exchange/sensitivity": number;
    /** The Content-Class header. CDO reference 2.1. */
    "DAV:contentclass": string;
    /** Type and subtype of Content-Type. CDO reference 2.1. */
    readonly "DAV:getcontenttype": string;
    /** The Keywords header, decoded. CDO reference 2.1. */
    "urn:schemas-microsoft-com:office:office#Keywords": string;
  }

  /** The news envelope: there is no news service. CDO reference 2.5. */
  export interface NntpEnvelopeFields {
    /** @deprecated not served: raises CDO_E_INVALID_PROPERTYNAME. CDO reference 2.5. */
    "http://schemas.microsoft.com/cdo/nntpenvelope/newsgrouplist": string;
    /** @deprecated not served: raises CDO_E_INVALID_PROPERTYNAME. CDO reference 2.5. */
    "http://schemas.microsoft.com/cdo/nntpenvelope/nntpprocessing": number;
  }

  /** Fields of {@link Configuration}. CDO reference 2.6. */
  export interface ConfigurationFields {
    /**
     * Default True. Collapses a multipart that is left with one child. CDO reference 2.6.
     * @cdo differs: kept, without effect.
     */
    "http://schemas.microsoft.com/cdo/configuration/autopromotebodyparts": boolean;
    /**
     * Default True. CDO reference 2.6.
     * @cdo differs: kept, without effect.
     */
    "http://schemas.microsoft.com/cdo/configuration/flushbuffersonwrite": boolean;
    /**
     * Default `""`. CDO reference 2.6.
     * @cdo differs: kept, without effect.
     */
    "http://schemas.microsoft.com/cdo/configuration/httpcookies": string;
    /**
     * Default `en-us`. Language of the response text. CDO reference 2.6.
     * @cdo differs: kept, without effect.
     */
    "http://schemas.microsoft.com/cdo/configuration/languagecode": string;
    /**
     * Default `""`. CDO reference 2.6.
     * @cdo differs: kept, without effect.
     */
    "http://schemas.microsoft.com/cdo/configuration/nntpaccountname": string;
    /**
     * Default 0. CDO reference 2.6.
     * @cdo differs: kept, without effect.
     */
    "http://schemas.microsoft.com/cdo/configuration/nntpauthenticate": number;
    /**
     * Default 30, seconds. CDO reference 2.6.
     * @cdo differs: kept, without effect.
     */
    "http://schemas.microsoft.com/cdo/configuration/nntpconnectiontimeout": number;
    /**
     * Default `""`. CDO reference 2.6.
     * @cdo differs: kept, without effect.
     */
    "http://schemas.microsoft.com/cdo/configuration/nntpserver": string;
    /**
     * Default 119. CDO reference 2.6.
     * @cdo differs: kept, without effect.
     */
    "http://schemas.microsoft.com/cdo/configuration/nntpserverport": number;
    /**
     * Default `""`. CDO reference 2.6.
     * @cdo differs: kept, without effect.
     */
    "http://schemas.microsoft.com/cdo/configuration/nntpserverpickupdirectory": string;
    /**
     * Default False. CDO reference 2.6.
     * @cdo differs: kept, without effect.
     */
    "http://schemas.microsoft.com/cdo/configuration/nntpusessl": boolean;
    /**
     * Default `""`. CDO reference 2.6.
     * @cdo differs: kept, without effect.
     */
    "http://schemas.microsoft.com/cdo/configuration/postemailaddress": string;
    /**
     * Default `""`. CDO reference 2.6.
     * @cdo differs: kept, without effect.
     */
    "http://schemas.microsoft.com/cdo/configuration/postuserreplyemailaddress": string;
    /**
     * Default `""`. CDO reference 2.6.
     * @cdo differs: kept, without effect.
     */
    "http://schemas.microsoft.com/cdo/configuration/postusername": string;
    /**
     * Default `""`. CDO reference 2.6.
     * @cdo differs: kept, without effect.
     */
    "http://schemas.microsoft.com/cdo/configuration/postpassword": string;
    /**
     * Default 0: none. CDO reference 2.6.
     * @cdo differs: kept, without effect.
     */
    "http://schemas.microsoft.com/cdo/configuration/postusing": number;
    /**
     * Default True. CDO reference 2.6.
     * @cdo differs: kept, without effect.
     */
    "http://schemas.microsoft.com/cdo/configuration/savesentitems": boolean;
    /** Default `""`. From of a message that has none. CDO reference 2.6. */
    "http://schemas.microsoft.com/cdo/configuration/sendemailaddress": string;
    /** Default `""`. Reply-To of a message that has none. CDO reference 2.6. */
    "http://schemas.microsoft.com/cdo/configuration/senduserreplyemailaddress": string;
    /**
     * Default `""`. CDO reference 2.6.
     * @cdo differs: kept, without effect.
     */
    "http://schemas.microsoft.com/cdo/configuration/sendusername": string;
    /**
     * Default `""`. CDO reference 2.6.
     * @cdo differs: kept, without effect.
     */
    "http://schemas.microsoft.com/cdo/configuration/sendpassword": string;
    /**
     * Default cdoSendUsingPickup. Any value but 1 and 2 makes Send raise CDO_E_INVALID_SEND_OPTION. CDO reference 2.6.
     * @cdo differs: Pickup is the own queue; cdoSendUsingPort is the own queue with smtpserver and smtpserverport as the next hop, where `allow.smtp` of the binding names them.
     */
    "http://schemas.microsoft.com/cdo/configuration/sendusing": number;
    /**
     * Default `""`. CDO reference 2.6.
     * @cdo differs: kept, without effect.
     */
    "http://schemas.microsoft.com/cdo/configuration/smtpaccountname": string;
    /**
     * Default 0. CDO reference 2.6.
     * @cdo differs: with cdoSendUsingPort any value but cdoAnonymous makes Send raise CDO_E_NOT_AVAILABLE: the queue keeps no passwords, `delivery.auth` of the configuration does.
     */
    "http://schemas.microsoft.com/cdo/configuration/smtpauthenticate": number;
    /**
     * Default 30, seconds. CDO reference 2.6.
     * @cdo differs: kept, without effect.
     */
    "http://schemas.microsoft.com/cdo/configuration/smtpconnectiontimeout": number;
    /** Default `""`. With cdoSendUsingPort and without a server Send raises CDO_E_SMTP_SERVER_REQUIRED. CDO reference 2.6. */
    "http://schemas.microsoft.com/cdo/configuration/smtpserver": string;
    /** Default 25. The port of smtpserver. CDO reference 2.6. */
    "http://schemas.microsoft.com/cdo/configuration/smtpserverport": number;
    /**
     * Default `""`. CDO reference 2.6.
     * @cdo differs: kept, without effect.
     */
    "http://schemas.microsoft.com/cdo/configuration/smtpserverpickupdirectory": string;
    /**
     * Default False. CDO reference 2.6.
     * @cdo differs: with cdoSendUsingPort True makes Send raise CDO_E_NOT_AVAILABLE: STARTTLS is used as `delivery.startTls` of the configuration says.
     */
    "http://schemas.microsoft.com/cdo/configuration/smtpusessl": boolean;
    /**
     * Default False. CDO reference 2.6.
     * @cdo differs: kept, without effect.
     */
    "http://schemas.microsoft.com/cdo/configuration/urlgetlatestversion": boolean;
    /**
     * Default `""`. CDO reference 2.6.
     * @cdo differs: kept, without effect.
     */
    "http://schemas.microsoft.com/cdo/configuration/urlproxybypass": string;
    /**
     * Default `""`. CDO reference 2.6.
     * @cdo differs: kept, without effect.
     */
    "http://schemas.microsoft.com/cdo/configuration/urlproxyserver": string;
    /** Default True. Reply and Forward quote the original. CDO reference 2.6. */
    "http://schemas.microsoft.com/cdo/configuration/usemessageresponsetext": boolean;
    /**
     * Long, default 0 (UTC): a CdoTimeZoneId, 0 to 81. Another number raises CDO_E_BAD_DATA. CDO reference 2.6.
     * @cdo differs: kept, without effect: a Date knows its instant.
     */
    "urn:schemas:calendar:timezoneid": number;
  }

  /** The namespace `urn:schemas:mailheader:`. CDO reference 2.1. */
  export const cdoNSMailHeader: "urn:schemas:mailheader:";
  /** The namespace `urn:schemas:httpmail:`. CDO reference 2.1. */
  export const cdoNSHTTPMail: "urn:schemas:httpmail:";
  /** The namespace `http://schemas.microsoft.com/cdo/smtpenvelope/`. CDO reference 2.1. */
  export const cdoNSSMTPEnvelope: "http://schemas.microsoft.com/cdo/smtpenvelope/";
  /** The namespace `http://schemas.microsoft.com/cdo/nntpenvelope/`. CDO reference 2.1. */
  export const cdoNSNNTPEnvelope: "http://schemas.microsoft.com/cdo/nntpenvelope/";
  /** The namespace `http://schemas.microsoft.com/cdo/configuration/`. CDO reference 2.1. */
  export const cdoNSConfiguration: "http://schemas.microsoft.com/cdo/configuration/";
  /** The namespace `urn:schemas:contacts:`. CDO reference 2.1. */
  export const cdoNSContacts: "urn:schemas:contacts:";
  /** CdoSMTPEnvelope: the field `http://schemas.microsoft.com/cdo/smtpenvelope/arrivaltime`. CDO reference 2.3. */
  export const cdoArrivalTime: "http://schemas.microsoft.com/cdo/smtpenvelope/arrivaltime";
  /** CdoSMTPEnvelope: the field `http://schemas.microsoft.com/cdo/smtpenvelope/clientipaddress`. CDO reference 2.3. */
  export const cdoClientIPAddress: "http://schemas.microsoft.com/cdo/smtpenvelope/clientipaddress";
  /** CdoSMTPEnvelope: the field `http://schemas.microsoft.com/cdo/smtpenvelope/messagestatus`. CDO reference 2.3. */
  export const cdoMessageStatus: "http://schemas.microsoft.com/cdo/smtpenvelope/messagestatus";
  /** CdoSMTPEnvelope: the field `http://schemas.microsoft.com/cdo/smtpenvelope/pickupfilename`. CDO reference 2.3. */
  export const cdoPickupFileName: "http://schemas.microsoft.com/cdo/smtpenvelope/pickupfilename";
  /** CdoSMTPEnvelope: the field `http://schemas.microsoft.com/cdo/smtpenvelope/recipientlist`. CDO reference 2.3. */
  export const cdoRecipientList: "http://schemas.microsoft.com/cdo/smtpenvelope/recipientlist";
  /** CdoSMTPEnvelope: the field `http://schemas.microsoft.com/cdo/smtpenvelope/senderemailaddress`. CDO reference 2.3. */
  export const cdoSenderEmailAddress: "http://schemas.microsoft.com/cdo/smtpenvelope/senderemailaddress";
  /** CdoConfiguration: the field `http://schemas.microsoft.com/cdo/configuration/autopromotebodyparts`. CDO reference 2.6. */
  export const cdoAutoPromoteBodyParts: "http://schemas.microsoft.com/cdo/configuration/autopromotebodyparts";
  /** CdoConfiguration: the field `http://schemas.microsoft.com/cdo/configuration/flushbuffersonwrite`. CDO reference 2.6. */
  export const cdoFlushBuffersOnWrite: "http://schemas.microsoft.com/cdo/configuration/flushbuffersonwrite";
  /** CdoConfiguration: the field `http://schemas.microsoft.com/cdo/configuration/httpcookies`. CDO reference 2.6. */
  export const cdoHTTPCookies: "http://schemas.microsoft.com/cdo/configuration/httpcookies";
  /** CdoConfiguration: the field `http://schemas.microsoft.com/cdo/configuration/languagecode`. CDO reference 2.6. */
  export const cdoLanguageCode: "http://schemas.microsoft.com/cdo/configuration/languagecode";
  /** CdoConfiguration: the field `http://schemas.microsoft.com/cdo/configuration/nntpaccountname`. CDO reference 2.6. */
  export const cdoNNTPAccountName: "http://schemas.microsoft.com/cdo/configuration/nntpaccountname";
  /** CdoConfiguration: the field `http://schemas.microsoft.com/cdo/configuration/nntpauthenticate`. CDO reference 2.6. */
  export const cdoNNTPAuthenticate: "http://schemas.microsoft.com/cdo/configuration/nntpauthenticate";
  /** CdoConfiguration: the field `http://schemas.microsoft.com/cdo/configuration/nntpconnectiontimeout`. CDO reference 2.6. */
  export const cdoNNTPConnectionTimeout: "http://schemas.microsoft.com/cdo/configuration/nntpconnectiontimeout";
  /** CdoConfiguration: the field `http://schemas.microsoft.com/cdo/configuration/nntpserver`. CDO reference 2.6. */
  export const cdoNNTPServer: "http://schemas.microsoft.com/cdo/configuration/nntpserver";
  /** CdoConfiguration: the field `http://schemas.microsoft.com/cdo/configuration/nntpserverpickupdirectory`. CDO reference 2.6. */
  export const cdoNNTPServerPickupDirectory: "http://schemas.microsoft.com/cdo/configuration/nntpserverpickupdirectory";
  /** CdoConfiguration: the field `http://schemas.microsoft.com/cdo/configuration/nntpserverport`. CDO reference 2.6. */
  export const cdoNNTPServerPort: "http://schemas.microsoft.com/cdo/configuration/nntpserverport";
  /** CdoConfiguration: the field `http://schemas.microsoft.com/cdo/configuration/nntpusessl`. CDO reference 2.6. */
  export const cdoNNTPUseSSL: "http://schemas.microsoft.com/cdo/configuration/nntpusessl";
  /** CdoConfiguration: the field `http://schemas.microsoft.com/cdo/configuration/postemailaddress`. CDO reference 2.6. */
  export const cdoPostEmailAddress: "http://schemas.microsoft.com/cdo/configuration/postemailaddress";
  /** CdoConfiguration: the field `http://schemas.microsoft.com/cdo/configuration/postpassword`. CDO reference 2.6. */
  export const cdoPostPassword: "http://schemas.microsoft.com/cdo/configuration/postpassword";
  /** CdoConfiguration: the field `http://schemas.microsoft.com/cdo/configuration/postusername`. CDO reference 2.6. */
  export const cdoPostUserName: "http://schemas.microsoft.com/cdo/configuration/postusername";
  /** CdoConfiguration: the field `http://schemas.microsoft.com/cdo/configuration/postuserreplyemailaddress`. CDO reference 2.6. */
  export const cdoPostUserReplyEmailAddress: "http://schemas.microsoft.com/cdo/configuration/postuserreplyemailaddress";
  /** CdoConfiguration: the field `http://schemas.microsoft.com/cdo/configuration/postusing`. CDO reference 2.6. */
  export const cdoPostUsingMethod: "http://schemas.microsoft.com/cdo/configuration/postusing";
  /** CdoConfiguration: the field `http://schemas.microsoft.com/cdo/configuration/savesentitems`. CDO reference 2.6. */
  export const cdoSaveSentItems: "http://schemas.microsoft.com/cdo/configuration/savesentitems";
  /** CdoConfiguration: the field `http://schemas.microsoft.com/cdo/configuration/sendemailaddress`. CDO reference 2.6. */
  export const cdoSendEmailAddress: "http://schemas.microsoft.com/cdo/configuration/sendemailaddress";
  /** CdoConfiguration: the field `http://schemas.microsoft.com/cdo/configuration/sendpassword`. CDO reference 2.6. */
  export const cdoSendPassword: "http://schemas.microsoft.com/cdo/configuration/sendpassword";
  /** CdoConfiguration: the field `http://schemas.microsoft.com/cdo/configuration/sendusername`. CDO reference 2.6. */
  export const cdoSendUserName: "http://schemas.microsoft.com/cdo/configuration/sendusername";
  /** CdoConfiguration: the field `http://schemas.microsoft.com/cdo/configuration/senduserreplyemailaddress`. CDO reference 2.6. */
  export const cdoSendUserReplyEmailAddress: "http://schemas.microsoft.com/cdo/configuration/senduserreplyemailaddress";
  /** CdoConfiguration: the field `http://schemas.microsoft.com/cdo/configuration/sendusing`. CDO reference 2.6. */
  export const cdoSendUsingMethod: "http://schemas.microsoft.com/cdo/configuration/sendusing";
  /** CdoConfiguration: the field `http://schemas.microsoft.com/cdo/configuration/smtpaccountname`. CDO reference 2.6. */
  export const cdoSMTPAccountName: "http://schemas.microsoft.com/cdo/configuration/smtpaccountname";
  /** CdoConfiguration: the field `http://schemas.microsoft.com/cdo/configuration/smtpauthenticate`. CDO reference 2.6. */
  export const cdoSMTPAuthenticate: "http://schemas.microsoft.com/cdo/configuration/smtpauthenticate";
  /** CdoConfiguration: the field `http://schemas.microsoft.com/cdo/configuration/smtpconnectiontimeout`. CDO reference 2.6. */
  export const cdoSMTPConnectionTimeout: "http://schemas.microsoft.com/cdo/configuration/smtpconnectiontimeout";
  /** CdoConfiguration: the field `http://schemas.microsoft.com/cdo/configuration/smtpserver`. CDO reference 2.6. */
  export const cdoSMTPServer: "http://schemas.microsoft.com/cdo/configuration/smtpserver";
  /** CdoConfiguration: the field `http://schemas.microsoft.com/cdo/configuration/smtpserverpickupdirectory`. CDO reference 2.6. */
  export const cdoSMTPServerPickupDirectory: "http://schemas.microsoft.com/cdo/configuration/smtpserverpickupdirectory";
  /** CdoConfiguration: the field `http://schemas.microsoft.com/cdo/configuration/smtpserverport`. CDO reference 2.6. */
  export const cdoSMTPServerPort: "http://schemas.microsoft.com/cdo/configuration/smtpserverport";
  /** CdoConfiguration: the field `http://schemas.microsoft.com/cdo/configuration/smtpusessl`. CDO reference 2.6. */
  export const cdoSMTPUseSSL: "http://schemas.microsoft.com/cdo/configuration/smtpusessl";
  /** CdoConfiguration: the field `http://schemas.microsoft.com/cdo/configuration/urlgetlatestversion`. CDO reference 2.6. */
  export const cdoURLGetLatestVersion: "http://schemas.microsoft.com/cdo/configuration/urlgetlatestversion";
  /** CdoConfiguration: the field `http://schemas.microsoft.com/cdo/configuration/urlproxybypass`. CDO reference 2.6. */
  export const cdoURLProxyBypass: "http://schemas.microsoft.com/cdo/configuration/urlproxybypass";
  /** CdoConfiguration: the field `http://schemas.microsoft.com/cdo/configuration/urlproxyserver`. CDO reference 2.6. */
  export const cdoURLProxyServer: "http://schemas.microsoft.com/cdo/configuration/urlproxyserver";
  /** CdoConfiguration: the field `http://schemas.microsoft.com/cdo/configuration/usemessageresponsetext`. CDO reference 2.6. */
  export const cdoUseMessageResponseText: "http://schemas.microsoft.com/cdo/configuration/usemessageresponsetext";
  /** CdoNNTPEnvelope: the field `http://schemas.microsoft.com/cdo/nntpenvelope/newsgrouplist`. CDO reference 2.5. */
  export const cdoNewsgroupList: "http://schemas.microsoft.com/cdo/nntpenvelope/newsgrouplist";
  /** CdoNNTPEnvelope: the field `http://schemas.microsoft.com/cdo/nntpenvelope/nntpprocessing`. CDO reference 2.5. */
  export const cdoNNTPProcessing: "http://schemas.microsoft.com/cdo/nntpenvelope/nntpprocessing";
  /** CdoMailHeader: the field `urn:schemas:mailheader:approved`. CDO reference 2.2. */
  export const cdoApproved: "urn:schemas:mailheader:approved";
  /** CdoMailHeader: the field `urn:schemas:mailheader:comment`. CDO reference 2.2. */
  export const cdoComment: "urn:schemas:mailheader:comment";
  /** CdoMailHeader: the field `urn:schemas:mailheader:content-base`. CDO reference 2.2. */
  export const cdoContentBase: "urn:schemas:mailheader:content-base";
  /** CdoMailHeader: the field `urn:schemas:mailheader:content-class`. CDO reference 2.2. */
  export const cdoContentClass: "urn:schemas:mailheader:content-class";
  /** CdoMailHeader: the field `urn:schemas:mailheader:content-description`. CDO reference 2.2. */
  export const cdoContentDescription: "urn:schemas:mailheader:content-description";
  /** CdoMailHeader: the field `urn:schemas:mailheader:content-disposition`. CDO reference 2.2. */
  export const cdoContentDisposition: "urn:schemas:mailheader:content-disposition";
  /** CdoMailHeader: the field `urn:schemas:mailheader:content-id`. CDO reference 2.2. */
  export const cdoContentId: "urn:schemas:mailheader:content-id";
  /** CdoMailHeader: the field `urn:schemas:mailheader:content-language`. CDO reference 2.2. */
  export const cdoContentLanguage: "urn:schemas:mailheader:content-language";
  /** CdoMailHeader: the field `urn:schemas:mailheader:content-location`. CDO reference 2.2. */
  export const cdoContentLocation: "urn:schemas:mailheader:content-location";
  /** CdoMailHeader: the field `urn:schemas:mailheader:content-transfer-encoding`. CDO reference 2.2. */
  export const cdoContentTransferEncoding: "urn:schemas:mailheader:content-transfer-encoding";
  /** CdoMailHeader: the field `urn:schemas:mailheader:content-type`. CDO reference 2.2. */
  export const cdoContentType: "urn:schemas:mailheader:content-type";
  /** CdoMailHeader: the field `urn:schemas:mailheader:control`. CDO reference 2.2. */
  export const cdoControl: "urn:schemas:mailheader:control";
  /** CdoMailHeader: the field `urn:schemas:mailheader:disposition`. CDO reference 2.2. */
  export const cdoDisposition: "urn:schemas:mailheader:disposition";
  /** CdoMailHeader: the field `urn:schemas:mailheader:disposition-notification-to`. CDO reference 2.2. */
  export const cdoDispositionNotificationTo: "urn:schemas:mailheader:disposition-notification-to";
  /** CdoMailHeader: the field `urn:schemas:mailheader:distribution`. CDO reference 2.2. */
  export const cdoDistribution: "urn:schemas:mailheader:distribution";
  /** CdoMailHeader: the field `urn:schemas:mailheader:expires`. CDO reference 2.2. */
  export const cdoExpires: "urn:schemas:mailheader:expires";
  /** CdoMailHeader: the field `urn:schemas:mailheader:followup-to`. CDO reference 2.2. */
  export const cdoFollowupTo: "urn:schemas:mailheader:followup-to";
  /** CdoMailHeader: the field `urn:schemas:mailheader:in-reply-to`. CDO reference 2.2. */
  export const cdoInReplyTo: "urn:schemas:mailheader:in-reply-to";
  /** CdoMailHeader: the field `urn:schemas:mailheader:lines`. CDO reference 2.2. */
  export const cdoLines: "urn:schemas:mailheader:lines";
  /** CdoMailHeader: the field `urn:schemas:mailheader:message-id`. CDO reference 2.2. */
  export const cdoMessageId: "urn:schemas:mailheader:message-id";
  /** CdoMailHeader: the field `urn:schemas:mailheader:mime-version`. CDO reference 2.2. */
  export const cdoMIMEVersion: "urn:schemas:mailheader:mime-version";
  /** CdoMailHeader: the field `urn:schemas:mailheader:newsgroups`. CDO reference 2.2. */
  export const cdoNewsgroups: "urn:schemas:mailheader:newsgroups";
  /** CdoMailHeader: the field `urn:schemas:mailheader:organization`. CDO reference 2.2. */
  export const cdoOrganization: "urn:schemas:mailheader:organization";
  /** CdoMailHeader: the field `urn:schemas:mailheader:original-recipient`. CDO reference 2.2. */
  export const cdoOriginalRecipient: "urn:schemas:mailheader:original-recipient";
  /** CdoMailHeader: the field `urn:schemas:mailheader:path`. CDO reference 2.2. */
  export const cdoPath: "urn:schemas:mailheader:path";
  /** CdoMailHeader: the field `urn:schemas:mailheader:posting-version`. CDO reference 2.2. */
  export const cdoPostingVersion: "urn:schemas:mailheader:posting-version";
  /** CdoMailHeader: the field `urn:schemas:mailheader:received`. CDO reference 2.2. */
  export const cdoReceived: "urn:schemas:mailheader:received";
  /** CdoMailHeader: the field `urn:schemas:mailheader:references`. CDO reference 2.2. */
  export const cdoReferences: "urn:schemas:mailheader:references";
  /** CdoMailHeader: the field `urn:schemas:mailheader:relay-version`. CDO reference 2.2. */
  export const cdoRelayVersion: "urn:schemas:mailheader:relay-version";
  /** CdoMailHeader: the field `urn:schemas:mailheader:return-path`. CDO reference 2.2. */
  export const cdoReturnPath: "urn:schemas:mailheader:return-path";
  /** CdoMailHeader: the field `urn:schemas:mailheader:return-receipt-to`. CDO reference 2.2. */
  export const cdoReturnReceiptTo: "urn:schemas:mailheader:return-receipt-to";
  /** CdoMailHeader: the field `urn:schemas:mailheader:summary`. CDO reference 2.2. */
  export const cdoSummary: "urn:schemas:mailheader:summary";
  /** CdoMailHeader: the field `urn:schemas:mailheader:thread-index`. CDO reference 2.2. */
  export const cdoThreadIndex: "urn:schemas:mailheader:thread-index";
  /** CdoMailHeader: the field `urn:schemas:mailheader:x-mailer`. CDO reference 2.2. */
  export const cdoXMailer: "urn:schemas:mailheader:x-mailer";
  /** CdoMailHeader: the field `urn:schemas:mailheader:xref`. CDO reference 2.2. */
  export const cdoXref: "urn:schemas:mailheader:xref";
  /** CdoMailHeader: the field `urn:schemas:mailheader:x-unsent`. CDO reference 2.2. */
  export const cdoXUnsent: "urn:schemas:mailheader:x-unsent";
  /** CdoMailHeader: the field `urn:schemas:mailheader:x-cdostreamhighfidelity`. CDO reference 2.2. */
  export const cdoXFidelity: "urn:schemas:mailheader:x-cdostreamhighfidelity";
  /** CdoHTTPMail: the field `urn:schemas:httpmail:attachmentfilename`. CDO reference 2.4. */
  export const cdoAttachmentFilename: "urn:schemas:httpmail:attachmentfilename";
  /** CdoHTTPMail: the field `urn:schemas:httpmail:bcc`. CDO reference 2.4. */
  export const cdoBcc: "urn:schemas:httpmail:bcc";
  /** CdoHTTPMail: the field `urn:schemas:httpmail:cc`. CDO reference 2.4. */
  export const cdoCc: "urn:schemas:httpmail:cc";
  /** CdoHTTPMail: the field `urn:schemas:httpmail:content-disposition-type`. CDO reference 2.4. */
  export const cdoContentDispositionType: "urn:schemas:httpmail:content-disposition-type";
  /** CdoHTTPMail: the field `urn:schemas:httpmail:content-media-type`. CDO reference 2.4. */
  export const cdoContentMediaType: "urn:schemas:httpmail:content-media-type";
  /** CdoHTTPMail: the field `urn:schemas:httpmail:date`. CDO reference 2.4. */
  export const cdoDate: "urn:schemas:httpmail:date";
  /** CdoHTTPMail: the field `urn:schemas:httpmail:datereceived`. CDO reference 2.4. */
  export const cdoDateReceived: "urn:schemas:httpmail:datereceived";
  /** CdoHTTPMail: the field `urn:schemas:httpmail:from`. CDO reference 2.4. */
  export const cdoFrom: "urn:schemas:httpmail:from";
  /** CdoHTTPMail: the field `urn:schemas:httpmail:hasattachment`. CDO reference 2.4. */
  export const cdoHasAttachment: "urn:schemas:httpmail:hasattachment";
  /** CdoHTTPMail: the field `urn:schemas:httpmail:htmldescription`. CDO reference 2.4. */
  export const cdoHTMLDescription: "urn:schemas:httpmail:htmldescription";
  /** CdoHTTPMail: the field `urn:schemas:httpmail:importance`. CDO reference 2.4. */
  export const cdoImportance: "urn:schemas:httpmail:importance";
  /** CdoHTTPMail: the field `urn:schemas:httpmail:normalizedsubject`. CDO reference 2.4. */
  export const cdoNormalizedSubject: "urn:schemas:httpmail:normalizedsubject";
  /** CdoHTTPMail: the field `urn:schemas:httpmail:priority`. CDO reference 2.4. */
  export const cdoPriority: "urn:schemas:httpmail:priority";
  /** CdoHTTPMail: the field `urn:schemas:httpmail:reply-to`. CDO reference 2.4. */
  export const cdoReplyTo: "urn:schemas:httpmail:reply-to";
  /** CdoHTTPMail: the field `urn:schemas:httpmail:sender`. CDO reference 2.4. */
  export const cdoSender: "urn:schemas:httpmail:sender";
  /** CdoHTTPMail: the field `urn:schemas:httpmail:subject`. CDO reference 2.4. */
  export const cdoSubject: "urn:schemas:httpmail:subject";
  /** CdoHTTPMail: the field `urn:schemas:httpmail:textdescription`. CDO reference 2.4. */
  export const cdoTextDescription: "urn:schemas:httpmail:textdescription";
  /** CdoHTTPMail: the field `urn:schemas:httpmail:thread-topic`. CDO reference 2.4. */
  export const cdoThreadTopic: "urn:schemas:httpmail:thread-topic";
  /** CdoHTTPMail: the field `urn:schemas:httpmail:to`. CDO reference 2.4. */
  export const cdoTo: "urn:schemas:httpmail:to";
  /** CdoHTTPMail: the field `urn:schemas-microsoft-com:office:office#Keywords`. CDO reference 2.4. */
  export const cdoKeywords: "urn:schemas-microsoft-com:office:office#Keywords";
  /** CdoHTTPMail: the field `http://schemas.microsoft.com/exchange/sensitivity`. CDO reference 2.4. */
  export const cdoSensitivity: "http://schemas.microsoft.com/exchange/sensitivity";
  /** CdoEventStatus 0: the remaining sinks run (default). CDO reference 2.7. */
  export const cdoRunNextSink: 0;
  /** CdoEventStatus 1: no further sink sees the message. CDO reference 2.7. */
  export const cdoSkipRemainingSinks: 1;
  /** CdoMessageStat 0: deliver. CDO reference 2.7. */
  export const cdoStatSuccess: 0;
  /** CdoMessageStat 2: delete without a report. CDO reference 2.7. */
  export const cdoStatAbortDelivery: 2;
  /** CdoMessageStat 3: move to Badmail. CDO reference 2.7. */
  export const cdoStatBadMail: 3;
  /** CdoEventType 1: SMTP OnArrival. CDO reference 2.7. */
  export const cdoSMTPOnArrival: 1;
  /** CdoEventType 2: NNTP, before the header is read. CDO reference 2.7. */
  export const cdoNNTPOnPostEarly: 2;
  /** CdoEventType 3: NNTP, on post. CDO reference 2.7. */
  export const cdoNNTPOnPost: 3;
  /** CdoEventType 4: NNTP, after post. CDO reference 2.7. */
  export const cdoNNTPOnPostFinal: 4;
  /** CdoDSNOptions 0: as the service decides. CDO reference 2.7. */
  export const cdoDSNDefault: 0;
  /** CdoDSNOptions 1: no reports. CDO reference 2.7. */
  export const cdoDSNNever: 1;
  /** CdoDSNOptions 2: on failure. CDO reference 2.7. */
  export const cdoDSNFailure: 2;
  /** CdoDSNOptions 4: on success. CDO reference 2.7. */
  export const cdoDSNSuccess: 4;
  /** CdoDSNOptions 8: on delay. CDO reference 2.7. */
  export const cdoDSNDelay: 8;
  /** CdoDSNOptions 14: success, failure and delay. CDO reference 2.7. */
  export const cdoDSNSuccessFailOrDelay: 14;
  /** CdoReferenceType 0: by Content-ID. CDO reference 2.7. */
  export const cdoRefTypeId: 0;
  /** CdoReferenceType 1: by Content-Location. CDO reference 2.7. */
  export const cdoRefTypeLocation: 1;
  /** CdoSendUsing 1: the own queue. CDO reference 2.7. */
  export const cdoSendUsingPickup: 1;
  /** CdoSendUsing 2: an SMTP server. CDO reference 2.7. */
  export const cdoSendUsingPort: 2;
  /** CdoPostUsing 1: the news pickup folder. CDO reference 2.7. */
  export const cdoPostUsingPickup: 1;
  /** CdoPostUsing 2: a news server. CDO reference 2.7. */
  export const cdoPostUsingPort: 2;
  /** CdoProtocolsAuthentication 0: no authentication. CDO reference 2.7. */
  export const cdoAnonymous: 0;
  /** CdoProtocolsAuthentication 1: user name and password. CDO reference 2.7. */
  export const cdoBasic: 1;
  /** CdoProtocolsAuthentication 2: NTLM. CDO reference 2.7. */
  export const cdoNTLM: 2;
  /** CdoConfigSource -1: the defaults. CDO reference 2.7. */
  export const cdoDefaults: -1;
  /** CdoConfigSource 1: the local SMTP service. CDO reference 2.7. */
  export const cdoIIS: 1;
  /** CdoConfigSource 2: Outlook Express. CDO reference 2.7. */
  export const cdoOutlookExpress: 2;
  /** CdoMHTMLFlags 0: embed everything. CDO reference 2.7. */
  export const cdoSuppressNone: 0;
  /** CdoMHTMLFlags 1: no images. CDO reference 2.7. */
  export const cdoSuppressImages: 1;
  /** CdoMHTMLFlags 2: no sounds. CDO reference 2.7. */
  export const cdoSuppressBGSounds: 2;
  /** CdoMHTMLFlags 4: no frames. CDO reference 2.7. */
  export const cdoSuppressFrames: 4;
  /** CdoMHTMLFlags 8: no objects. CDO reference 2.7. */
  export const cdoSuppressObjects: 8;
  /** CdoMHTMLFlags 16: no style sheets. CDO reference 2.7. */
  export const cdoSuppressStyleSheets: 16;
  /** CdoMHTMLFlags 31: embed nothing. CDO reference 2.7. */
  export const cdoSuppressAll: 31;
  /** cdoImportanceValues 0: low. CDO reference 2.7. */
  export const cdoLow: 0;
  /** cdoImportanceValues 1: normal. CDO reference 2.7. */
  export const cdoNormal: 1;
  /** cdoImportanceValues 2: high. CDO reference 2.7. */
  export const cdoHigh: 2;
  /** cdoPriorityValues -1: non-urgent. CDO reference 2.7. */
  export const cdoPriorityNonUrgent: -1;
  /** cdoPriorityValues 0: normal. CDO reference 2.7. */
  export const cdoPriorityNormal: 0;
  /** cdoPriorityValues 1: urgent. CDO reference 2.7. */
  export const cdoPriorityUrgent: 1;
  /** cdoSensitivityValues 0: none. CDO reference 2.7. */
  export const cdoSensitivityNone: 0;
  /** cdoSensitivityValues 1: personal. CDO reference 2.7. */
  export const cdoPersonal: 1;
  /** cdoSensitivityValues 2: private. CDO reference 2.7. */
  export const cdoPrivate: 2;
  /** cdoSensitivityValues 3: company confidential. CDO reference 2.7. */
  export const cdoCompanyConfidential: 3;
  /** CdoNNTPProcessingField 1: post. CDO reference 2.7. */
  export const cdoPostMessage: 1;
  /** CdoNNTPProcessingField 2: process as control message. CDO reference 2.7. */
  export const cdoProcessControl: 2;
  /** CdoNNTPProcessingField 4: send to the moderator. CDO reference 2.7. */
  export const cdoProcessModerator: 4;
  /** CdoTimeZoneId 0: UTC. CDO reference 2.7. */
  export const cdoUTC: 0;
  /** CdoTimeZoneId 52: no zone. CDO reference 2.7. */
  export const cdoFloating: 52;
  /** CdoTimeZoneId 82: no valid zone. CDO reference 2.7. */
  export const cdoInvalidTimeZone: 82;
  /** CdoEncodingType `7bit`. CDO reference 2.7. */
  export const cdo7bit: "7bit";
  /** CdoEncodingType `8bit`. CDO reference 2.7. */
  export const cdo8bit: "8bit";
  /** CdoEncodingType `base64`. CDO reference 2.7. */
  export const cdoBase64: "base64";
  /** CdoEncodingType `binary`. CDO reference 2.7. */
  export const cdoBinary: "binary";
  /** CdoEncodingType `mac-binhex40`. CDO reference 2.7. */
  export const cdoMacBinHex40: "mac-binhex40";
  /** CdoEncodingType `quoted-printable`. CDO reference 2.7. */
  export const cdoQuotedPrintable: "quoted-printable";
  /** CdoEncodingType `uuencode`. CDO reference 2.7. */
  export const cdoUuencode: "uuencode";
  /** CdoCharset `big5`. CDO reference 2.7. */
  export const cdoBIG5: "big5";
  /** CdoCharset `euc-jp`. CDO reference 2.7. */
  export const cdoEUC_JP: "euc-jp";
  /** CdoCharset `euc-kr`. CDO reference 2.7. */
  export const cdoEUC_KR: "euc-kr";
  /** CdoCharset `gb2312`. CDO reference 2.7. */
  export const cdoGB2312: "gb2312";
  /** CdoCharset `iso-2022-jp`. CDO reference 2.7. */
  export const cdoISO_2022_JP: "iso-2022-jp";
  /** CdoCharset `iso-2022-kr`. CDO reference 2.7. */
  export const cdoISO_2022_KR: "iso-2022-kr";
  /** CdoCharset `iso-8859-1`. CDO reference 2.7. */
  export const cdoISO_8859_1: "iso-8859-1";
  /** CdoCharset `iso-8859-2`. CDO reference 2.7. */
  export const cdoISO_8859_2: "iso-8859-2";
  /** CdoCharset `iso-8859-3`. CDO reference 2.7. */
  export const cdoISO_8859_3: "iso-8859-3";
  /** CdoCharset `iso-8859-4`. CDO reference 2.7. */
  export const cdoISO_8859_4: "iso-8859-4";
  /** CdoCharset `iso-8859-5`. CDO reference 2.7. */
  export const cdoISO_8859_5: "iso-8859-5";
  /** CdoCharset `iso-8859-6`. CDO reference 2.7. */
  export const cdoISO_8859_6: "iso-8859-6";
  /** CdoCharset `iso-8859-7`. CDO reference 2.7. */
  export const cdoISO_8859_7: "iso-8859-7";
  /** CdoCharset `iso-8859-8`. CDO reference 2.7. */
  export const cdoISO_8859_8: "iso-8859-8";
  /** CdoCharset `iso-8859-9`. CDO reference 2.7. */
  export const cdoISO_8859_9: "iso-8859-9";
  /** CdoCharset `iso-8859-15`. CDO reference 2.7. */
  export const cdoISO_8859_15: "iso-8859-15";
  /** CdoCharset `koi8-r`. CDO reference 2.7. */
  export const cdoKOI8_R: "koi8-r";
  /** CdoCharset `shift-jis`. CDO reference 2.7. */
  export const cdoShift_JIS: "shift-jis";
  /** CdoCharset `us-ascii`. CDO reference 2.7. */
  export const cdoUS_ASCII: "us-ascii";
  /** CdoCharset `utf-7`. CDO reference 2.7. */
  export const cdoUTF_7: "utf-7";
  /** CdoCharset `utf-8`. CDO reference 2.7. */
  export const cdoUTF_8: "utf-8";
  /** CdoContentTypeValues `image/gif`. CDO reference 2.7. */
  export const cdoGif: "image/gif";
  /** CdoContentTypeValues `image/jpeg`. CDO reference 2.7. */
  export const cdoJpeg: "image/jpeg";
  /** CdoContentTypeValues `message/external-body`. CDO reference 2.7. */
  export const cdoMessageExternalBody: "message/external-body";
  /** CdoContentTypeValues `message/partial`. CDO reference 2.7. */
  export const cdoMessagePartial: "message/partial";
  /** CdoContentTypeValues `message/rfc822`. CDO reference 2.7. */
  export const cdoMessageRFC822: "message/rfc822";
  /** CdoContentTypeValues `multipart/alternative`. CDO reference 2.7. */
  export const cdoMultipartAlternative: "multipart/alternative";
  /** CdoContentTypeValues `multipart/digest`. CDO reference 2.7. */
  export const cdoMultipartDigest: "multipart/digest";
  /** CdoContentTypeValues `multipart/mixed`. CDO reference 2.7. */
  export const cdoMultipartMixed: "multipart/mixed";
  /** CdoContentTypeValues `multipart/related`. CDO reference 2.7. */
  export const cdoMultipartRelated: "multipart/related";
  /** CdoContentTypeValues `text/html`. CDO reference 2.7. */
  export const cdoTextHTML: "text/html";
  /** CdoContentTypeValues `text/plain`. CDO reference 2.7. */
  export const cdoTextPlain: "text/plain";
  /** CdoInterfaces `_Stream`. CDO reference 2.7. */
  export const cdoAdoStream: "_Stream";
  /** CdoInterfaces `IBodyPart`. CDO reference 2.7. */
  export const cdoIBodyPart: "IBodyPart";
  /** CdoInterfaces `IConfiguration`. CDO reference 2.7. */
  export const cdoIConfiguration: "IConfiguration";
  /** CdoInterfaces `IDataSource`. CDO reference 2.7. */
  export const cdoIDataSource: "IDataSource";
  /** CdoInterfaces `IMessage`. CDO reference 2.7. */
  export const cdoIMessage: "IMessage";
  /** CdoInterfaces `IStream`. CDO reference 2.7. */
  export const cdoIStream: "IStream";
  /** StreamTypeEnum 1: bytes. CDO reference 1.10. */
  export const adTypeBinary: 1;
  /** StreamTypeEnum 2: text. CDO reference 1.10. */
  export const adTypeText: 2;
  /** LineSeparatorsEnum -1: CR LF. CDO reference 1.10. */
  export const adCRLF: -1;
  /** LineSeparatorsEnum 10: LF. CDO reference 1.10. */
  export const adLF: 10;
  /** LineSeparatorsEnum 13: CR. CDO reference 1.10. */
  export const adCR: 13;
  /** StreamReadEnum -1: to the end. CDO reference 1.10. */
  export const adReadAll: -1;
  /** StreamReadEnum -2: one line. CDO reference 1.10. */
  export const adReadLine: -2;
  /** StreamWriteEnum 0: text only. CDO reference 1.10. */
  export const adWriteChar: 0;
  /** StreamWriteEnum 1: text and line separator. CDO reference 1.10. */
  export const adWriteLine: 1;
  /** SaveOptionsEnum 1: fail when it exists. CDO reference 1.10. */
  export const adSaveCreateNotExist: 1;
  /** SaveOptionsEnum 2: replace. CDO reference 1.10. */
  export const adSaveCreateOverWrite: 2;

  /** The header fields of a {@link Response}. Names are found without regard to case. */
  export interface Headers extends Iterable<[string, string]> {
    /** @cdo extension: the value; several of one name are joined by a comma. */
    get(name: string): string | null;
    /** @cdo extension: whether there is one. */
    has(name: string): boolean;
    /** @cdo extension: the names, in lower case. */
    keys(): Iterable<string>;
    /** @cdo extension: the values. */
    values(): Iterable<string>;
    /** @cdo extension: names and values. */
    entries(): Iterable<[string, string]>;
    /** @cdo extension: calls the function with each value and name. */
    forEach(visit: (value: string, name: string) => void): void;
  }

  /** What `fetch` answers. The body is there as a whole, and may be read more than once. */
  export interface Response {
    /** @cdo extension: the status code, as 200. */
    readonly status: number;
    /** @cdo extension: whether the status is 200 to 299. */
    readonly ok: boolean;
    /** @cdo extension: the words behind the status code. */
    readonly statusText: string;
    /** @cdo extension: the URL that answered, after redirects. */
    readonly url: string;
    /** @cdo extension: the header fields. */
    readonly headers: Headers;
    /** @cdo extension: the body as UTF-8. */
    text(): Promise<string>;
    /** @cdo extension: the body, parsed as JSON. */
    json(): Promise<any>;
    /** @cdo extension: the body. */
    bytes(): Promise<Uint8Array>;
    /** @cdo extension: the body. */
    arrayBuffer(): Promise<ArrayBuffer>;
  }

  /** What `fetch` may be given beside the URL. */
  export interface RequestInit {
    /** @cdo extension: GET when absent. */
    method?: string;
    /** @cdo extension: names and values. */
    headers?: Readonly<Record<string, string>> | Iterable<readonly [string, string]>;
    /** @cdo extension: a text goes as UTF-8. */
    body?: string | Uint8Array | ArrayBuffer | null;
  }

  /**
   * Asks a web server: one of those whose URLs begin as `allow: { fetch: ["https://host/path/"] }` of the binding says. The
   * message waits, the service goes on. Also a global. What is refused, and what fails, rejects.
   *
   * @example
   * const answer = await fetch("https://scores.example/v1/score", { method: "POST", body: msg.TextBody });
   * if ((await answer.json()).spam) status.Value = cdoSkipRemainingSinks;
   */
  export function fetch(url: string, init?: RequestInit): Promise<Response>;

  /** The durable store of the script; needs `allow: { kv: true }`. Messages at the same time see each other's values. */
  export interface KeyValueStore {
    /** @cdo extension: the value as text; undefined when there is none. */
    get(key: string): Promise<string | undefined>;
    /** @cdo extension: the value as bytes. */
    getBytes(key: string): Promise<Uint8Array | undefined>;
    /** @cdo extension: the value, parsed as JSON. */
    getJson(key: string): Promise<any>;
    /** @cdo extension: with `ttlMs` the value is forgotten after so many milliseconds. */
    set(key: string, value: string | Uint8Array | ArrayBuffer, options?: { ttlMs?: number }): Promise<void>;
    /** @cdo extension: the value as JSON. */
    setJson(key: string, value: unknown, options?: { ttlMs?: number }): Promise<void>;
    /** @cdo extension: whether there was one. */
    delete(key: string): Promise<boolean>;
  }

  /** {@link KeyValueStore}. Also a global. */
  export const kv: KeyValueStore;

  /** The DNS; needs `allow: { dns: true }`. */
  export interface NameSystem {
    /** @cdo extension: the records of a type, A when absent: texts for A, AAAA, PTR; objects or lists for others. */
    resolve(name: string, type?: string): Promise<any[]>;
  }

  /** {@link NameSystem}. Also a global. */
  export const dns: NameSystem;

  /**
   * A secret that `allow: { secrets: ["NAME"] }` of the binding names and the configuration gives. Read at the top level, a
   * missing one is told when the script is loaded. Also a global.
   */
  export function secret(name: string): string;
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
declare const cdoAutoPromoteBodyParts: "http://schemas.microsoft.com/cdo/configuration/autopromotebodyparts";
declare const cdoFlushBuffersOnWrite: "http://schemas.microsoft.com/cdo/configuration/flushbuffersonwrite";
declare const cdoHTTPCookies: "http://schemas.microsoft.com/cdo/configuration/httpcookies";
declare const cdoLanguageCode: "http://schemas.microsoft.com/cdo/configuration/languagecode";
declare const cdoNNTPAccountName: "http://schemas.microsoft.com/cdo/configuration/nntpaccountname";
declare const cdoNNTPAuthenticate: "http://schemas.microsoft.com/cdo/configuration/nntpauthenticate";
declare const cdoNNTPConnectionTimeout: "http://schemas.microsoft.com/cdo/configuration/nntpconnectiontimeout";
declare const cdoNNTPServer: "http://schemas.microsoft.com/cdo/configuration/nntpserver";
declare const cdoNNTPServerPickupDirectory: "http://schemas.microsoft.com/cdo/configuration/nntpserverpickupdirectory";
declare const cdoNNTPServerPort: "http://schemas.microsoft.com/cdo/configuration/nntpserverport";
declare const cdoNNTPUseSSL: "http://schemas.microsoft.com/cdo/configuration/nntpusessl";
declare const cdoPostEmailAddress: "http://schemas.microsoft.com/cdo/configuration/postemailaddress";
declare const cdoPostPassword: "http://schemas.microsoft.com/cdo/configuration/postpassword";
declare const cdoPostUserName: "http://schemas.microsoft.com/cdo/configuration/postusername";
declare const cdoPostUserReplyEmailAddress: "http://schemas.microsoft.com/cdo/configuration/postuserreplyemailaddress";
declare const cdoPostUsingMethod: "http://schemas.microsoft.com/cdo/configuration/postusing";
declare const cdoSaveSentItems: "http://schemas.microsoft.com/cdo/configuration/savesentitems";
declare const cdoSendEmailAddress: "http://schemas.microsoft.com/cdo/configuration/sendemailaddress";
declare const cdoSendPassword: "http://schemas.microsoft.com/cdo/configuration/sendpassword";
declare const cdoSendUserName: "http://schemas.microsoft.com/cdo/configuration/sendusername";
declare const cdoSendUserReplyEmailAddress: "http://schemas.microsoft.com/cdo/configuration/senduserreplyemailaddress";
declare const cdoSendUsingMethod: "http://schemas.microsoft.com/cdo/configuration/sendusing";
declare const cdoSMTPAccountName: "http://schemas.microsoft.com/cdo/configuration/smtpaccountname";
declare const cdoSMTPAuthenticate: "http://schemas.microsoft.com/cdo/configuration/smtpauthenticate";
declare const cdoSMTPConnectionTimeout: "http://schemas.microsoft.com/cdo/configuration/smtpconnectiontimeout";
declare const cdoSMTPServer: "http://schemas.microsoft.com/cdo/configuration/smtpserver";
declare const cdoSMTPServerPickupDirectory: "http://schemas.microsoft.com/cdo/configuration/smtpserverpickupdirectory";
declare const cdoSMTPServerPort: "http://schemas.microsoft.com/cdo/configuration/smtpserverport";
declare const cdoSMTPUseSSL: "http://schemas.microsoft.com/cdo/configuration/smtpusessl";
declare const cdoURLGetLatestVersion: "http://schemas.microsoft.com/cdo/configuration/urlgetlatestversion";
declare const cdoURLProxyBypass: "http://schemas.microsoft.com/cdo/configuration/urlproxybypass";
declare const cdoURLProxyServer: "http://schemas.microsoft.com/cdo/configuration/urlproxyserver";
declare const cdoUseMessageResponseText: "http://schemas.microsoft.com/cdo/configuration/usemessageresponsetext";
declare const cdoNewsgroupList: "http://schemas.microsoft.com/cdo/nntpenvelope/newsgrouplist";
declare const cdoNNTPProcessing: "http://schemas.microsoft.com/cdo/nntpenvelope/nntpprocessing";
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
declare const cdoUTC: 0;
declare const cdoFloating: 52;
declare const cdoInvalidTimeZone: 82;
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

/** Serves "CDO.Message", "CDO.Configuration", "CDO.DropDirectory", "ADODB.Stream" and "Scripting.Dictionary". Other ProgIDs raise an error that names them. */
declare const ActiveXObject: {
  new (progId: "CDO.Message"): import("cdo").Message;
  new (progId: "CDO.Configuration"): import("cdo").Configuration;
  new (progId: "CDO.DropDirectory"): import("cdo").DropDirectory;
  new (progId: "ADODB.Stream"): import("cdo").Stream;
  new (progId: string): any;
};

/** The classes that a script may make, as `new CDO.Message()`. CDO reference 1.1. */
declare const CDO: {
  readonly Message: new () => import("cdo").Message;
  readonly Configuration: new () => import("cdo").Configuration;
  readonly DropDirectory: new () => import("cdo").DropDirectory;
};

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

/** The encodings of the WHATWG Encoding standard by all their labels. An unknown label is a RangeError. */
declare class TextDecoder {
  constructor(label?: string, options?: { fatal?: boolean; ignoreBOM?: boolean });
  readonly encoding: string;
  readonly fatal: boolean;
  readonly ignoreBOM: boolean;
  /** With `stream` more bytes follow. Invalid bytes are U+FFFD, or with `fatal` a TypeError. */
  decode(input?: ArrayBuffer | ArrayBufferView, options?: { stream?: boolean }): string;
}

/** A URL of the WHATWG URL standard. What is none is a TypeError; a URL has at most 64 Ki characters. */
declare class URL {
  constructor(url: string | URL, base?: string | URL);
  static canParse(url: string | URL, base?: string | URL): boolean;
  static parse(url: string | URL, base?: string | URL): URL | null;
  href: string;
  readonly origin: string;
  protocol: string;
  username: string;
  password: string;
  host: string;
  hostname: string;
  port: string;
  pathname: string;
  search: string;
  hash: string;
  /** The query as names and values: what changes there changes the URL. */
  readonly searchParams: URLSearchParams;
  toString(): string;
  toJSON(): string;
}

/** Names and values of a query, as application/x-www-form-urlencoded. */
declare class URLSearchParams {
  constructor(init?: string | Iterable<readonly [string, string]> | Readonly<Record<string, unknown>>);
  readonly size: number;
  append(name: string, value: unknown): void;
  delete(name: string, value?: unknown): void;
  get(name: string): string | null;
  getAll(name: string): string[];
  has(name: string, value?: unknown): boolean;
  set(name: string, value: unknown): void;
  sort(): void;
  forEach(callback: (value: string, name: string, params: URLSearchParams) => void): void;
  keys(): IterableIterator<string>;
  values(): IterableIterator<string>;
  entries(): IterableIterator<[string, string]>;
  [Symbol.iterator](): IterableIterator<[string, string]>;
  toString(): string;
}

declare function atob(input: string): string;
declare function btoa(input: string): string;
declare function structuredClone<T>(value: T): T;
declare const crypto: { randomUUID(): string };

declare const fetch: typeof import("cdo").fetch;
declare const kv: import("cdo").KeyValueStore;
declare const dns: import("cdo").NameSystem;
declare const secret: typeof import("cdo").secret;
