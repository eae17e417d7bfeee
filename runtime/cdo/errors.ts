// The errors of the object model: names and HRESULTs of the original, so that a script can compare `error.number`.

/** Name → HRESULT (unsigned) and what it says when no better text is at hand. */
export const CDO_ERRORS = {
  CDO_E_UNCAUGHT_EXCEPTION: [0x80040201, "An internal error was not handled."],
  CDO_E_NOT_OPENED: [0x80040202, "The message is bound to nothing it could be saved to."],
  CDO_E_UNSUPPORTED_DATASOURCE: [0x80040203, "This kind of data source is not supported."],
  CDO_E_INVALID_PROPERTYNAME: [0x80040204, "The field name or its namespace is unknown."],
  CDO_E_PROP_UNSUPPORTED: [0x80040205, "This object has no such property."],
  CDO_E_INACTIVE: [0x80040206, "The object was deleted, or belongs to a message whose processing has ended."],
  CDO_E_NO_SUPPORT_FOR_OBJECTS: [
    0x80040207,
    "Objects cannot be stored here; give a text, number, boolean or date.",
  ],
  CDO_E_NOT_AVAILABLE: [0x80040208, "The feature exists but is not available here."],
  CDO_E_NO_DEFAULT_DROP_DIR: [0x80040209, "The Drop folder is unknown."],
  CDO_E_SMTP_SERVER_REQUIRED: [0x8004020a, "The field smtpserver is missing."],
  CDO_E_NNTP_SERVER_REQUIRED: [0x8004020b, "The field nntpserver is missing."],
  CDO_E_RECIPIENT_MISSING: [0x8004020c, "The message has no recipient in To, CC or BCC."],
  CDO_E_FROM_MISSING: [0x8004020d, "The message has neither From nor Sender."],
  CDO_E_SENDER_REJECTED: [0x8004020e, "The server refused the sender."],
  CDO_E_RECIPIENTS_REJECTED: [0x8004020f, "The server refused the recipients."],
  CDO_E_NNTP_POST_FAILED: [0x80040210, "The message could not be posted."],
  CDO_E_SMTP_SEND_FAILED: [0x80040211, "The message could not be sent."],
  CDO_E_CONNECTION_DROPPED: [0x80040212, "The connection was lost."],
  CDO_E_FAILED_TO_CONNECT: [0x80040213, "The connection failed."],
  CDO_E_INVALID_POST: [0x80040214, "Subject, From or Newsgroups is missing."],
  CDO_E_AUTHENTICATION_FAILURE: [0x80040215, "The server refused the credentials."],
  CDO_E_INVALID_CONTENT_TYPE: [0x80040216, "The content has the wrong media type."],
  CDO_E_LOGON_FAILURE: [0x80040217, "The logon failed."],
  CDO_E_HTTP_NOT_FOUND: [0x80040218, "The resource was not found."],
  CDO_E_HTTP_FORBIDDEN: [0x80040219, "The resource is forbidden."],
  CDO_E_HTTP_FAILED: [0x8004021a, "The resource could not be fetched."],
  CDO_E_MULTIPART_NO_DATA: [0x8004021b, "A multipart has no content of its own; look at its BodyParts."],
  CDO_E_INVALID_ENCODING_FOR_MULTIPART: [0x8004021c, "A multipart can only be 7bit, 8bit or binary."],
  CDO_E_UNSAFE_OPERATION: [0x8004021d, "The operation is blocked."],
  CDO_E_PROP_NOT_FOUND: [0x8004021e, "There is no such property."],
  CDO_E_INVALID_SEND_OPTION: [0x80040220, "The field sendusing is missing or wrong."],
  CDO_E_INVALID_POST_OPTION: [0x80040221, "The field postusing is missing or wrong."],
  CDO_E_NO_PICKUP_DIR: [0x80040222, "The Pickup folder is unknown."],
  CDO_E_NOT_ALL_DELETED: [0x80040223, "Not everything could be deleted."],
  CDO_E_NO_METHOD: [0x80040224, "The object has no such method."],
  CDO_E_PROP_READONLY: [0x80040227, "The property can be read but not set."],
  CDO_E_PROP_CANNOT_DELETE: [0x80040228, "The field cannot be deleted."],
  CDO_E_BAD_DATA: [0x80040229, "The value is not valid here."],
  CDO_E_PROP_NONHEADER: [0x8004022a, "The field is no header field (urn:schemas:mailheader:)."],
  CDO_E_INVALID_CHARSET: [0x8004022b, "The character set is unknown."],
  CDO_E_ADOSTREAM_NOT_BOUND: [0x8004022c, "The stream is not open."],
  CDO_E_CONTENTPROPXML_NOT_FOUND: [0x8004022d, "The content class description was not found."],
  CDO_E_CONTENTPROPXML_WRONG_CHARSET: [
    0x8004022e,
    "The content class description has the wrong character set.",
  ],
  CDO_E_CONTENTPROPXML_PARSE_FAILED: [0x8004022f, "The content class description cannot be parsed."],
  CDO_E_CONTENTPROPXML_CONVERT_FAILED: [0x80040230, "The content class description cannot be converted."],
  CDO_E_SELF_BINDING: [0x80040234, "An object cannot be bound to itself."],
  CDO_E_OUTOFDATE: [0x80040239, "The object has changed meanwhile."],
  CDO_E_ARGUMENT1: [0x80044000, "The first argument is not valid."],
  CDO_E_ARGUMENT2: [0x80044001, "The second argument is not valid."],
  CDO_E_ARGUMENT3: [0x80044002, "The third argument is not valid."],
  CDO_E_ARGUMENT4: [0x80044003, "The fourth argument is not valid."],
  CDO_E_ARGUMENT5: [0x80044004, "The fifth argument is not valid."],
  CDO_E_NOT_FOUND: [0x800cce05, "There is no such body part."],
  CDO_E_INVALID_ENCODING_TYPE: [0x800cce1d, "The transfer encoding is unknown."],
  adErrInvalidArgument: [0x800a0bb9, "The argument has the wrong type or is out of range."],
  adErrOpeningFile: [0x800a0bba, "The file could not be opened."],
  adErrWriteFile: [0x800a0bbc, "The data could not be written."],
  adErrIllegalOperation: [0x800a0c93, "The operation is not allowed in this context."],
  adErrItemNotFound: [0x800a0cc1, "The item was not found in the collection."],
  adErrObjectClosed: [0x800a0e78, "The object is closed."],
  adErrObjectOpen: [0x800a0e79, "The object is open."],
  adErrFieldsUpdateFailed: [0x800a0ea5, "The fields could not be updated."],
  E_NOINTERFACE: [0x80004002, "The object has no such interface."],
} as const satisfies Record<string, readonly [number, string]>;

export type CdoErrorName = keyof typeof CDO_ERRORS;

/** `number` is the signed 32-bit HRESULT, as VBScript's Err.Number showed it. */
export class CdoError extends Error {
  readonly number: number;
  readonly description: string;

  constructor(code: CdoErrorName, detail?: string) {
    const [hresult, meaning] = CDO_ERRORS[code];
    const description = detail === undefined ? meaning : `${detail}: ${lowerFirst(meaning)}`;
    super(`${description} (0x${hresult.toString(16).toUpperCase()})`);
    this.name = code;
    this.number = hresult | 0;
    this.description = description;
  }
}

const lowerFirst = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1);

export const isCdoErrorName = (name: string): name is CdoErrorName => Object.hasOwn(CDO_ERRORS, name);
