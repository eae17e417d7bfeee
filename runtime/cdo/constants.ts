// The constants of CDO for Windows 2000. Scripts get them as globals and from `import { … } from "cdo"` (cdo-module.ts).

// Namespaces of fields
export const cdoNSMailHeader = "urn:schemas:mailheader:";
export const cdoNSHTTPMail = "urn:schemas:httpmail:";
export const cdoNSSMTPEnvelope = "http://schemas.microsoft.com/cdo/smtpenvelope/";
export const cdoNSNNTPEnvelope = "http://schemas.microsoft.com/cdo/nntpenvelope/";
export const cdoNSConfiguration = "http://schemas.microsoft.com/cdo/configuration/";
export const cdoNSContacts = "urn:schemas:contacts:";

// CdoSMTPEnvelope: the six fields of EnvelopeFields
export const cdoArrivalTime = "http://schemas.microsoft.com/cdo/smtpenvelope/arrivaltime";
export const cdoClientIPAddress = "http://schemas.microsoft.com/cdo/smtpenvelope/clientipaddress";
export const cdoMessageStatus = "http://schemas.microsoft.com/cdo/smtpenvelope/messagestatus";
export const cdoPickupFileName = "http://schemas.microsoft.com/cdo/smtpenvelope/pickupfilename";
export const cdoRecipientList = "http://schemas.microsoft.com/cdo/smtpenvelope/recipientlist";
export const cdoSenderEmailAddress = "http://schemas.microsoft.com/cdo/smtpenvelope/senderemailaddress";

// CdoConfiguration: the fields of Configuration
export const cdoAutoPromoteBodyParts = "http://schemas.microsoft.com/cdo/configuration/autopromotebodyparts";
export const cdoFlushBuffersOnWrite = "http://schemas.microsoft.com/cdo/configuration/flushbuffersonwrite";
export const cdoHTTPCookies = "http://schemas.microsoft.com/cdo/configuration/httpcookies";
export const cdoLanguageCode = "http://schemas.microsoft.com/cdo/configuration/languagecode";
export const cdoNNTPAccountName = "http://schemas.microsoft.com/cdo/configuration/nntpaccountname";
export const cdoNNTPAuthenticate = "http://schemas.microsoft.com/cdo/configuration/nntpauthenticate";
export const cdoNNTPConnectionTimeout =
  "http://schemas.microsoft.com/cdo/configuration/nntpconnectiontimeout";
export const cdoNNTPServer = "http://schemas.microsoft.com/cdo/configuration/nntpserver";
export const cdoNNTPServerPickupDirectory =
  "http://schemas.microsoft.com/cdo/configuration/nntpserverpickupdirectory";
export const cdoNNTPServerPort = "http://schemas.microsoft.com/cdo/configuration/nntpserverport";
export const cdoNNTPUseSSL = "http://schemas.microsoft.com/cdo/configuration/nntpusessl";
export const cdoPostEmailAddress = "http://schemas.microsoft.com/cdo/configuration/postemailaddress";
export const cdoPostPassword = "http://schemas.microsoft.com/cdo/configuration/postpassword";
export const cdoPostUserName = "http://schemas.microsoft.com/cdo/configuration/postusername";
export const cdoPostUserReplyEmailAddress =
  "http://schemas.microsoft.com/cdo/configuration/postuserreplyemailaddress";
export const cdoPostUsingMethod = "http://schemas.microsoft.com/cdo/configuration/postusing";
export const cdoSaveSentItems = "http://schemas.microsoft.com/cdo/configuration/savesentitems";
export const cdoSendEmailAddress = "http://schemas.microsoft.com/cdo/configuration/sendemailaddress";
export const cdoSendPassword = "http://schemas.microsoft.com/cdo/configuration/sendpassword";
export const cdoSendUserName = "http://schemas.microsoft.com/cdo/configuration/sendusername";
export const cdoSendUserReplyEmailAddress =
  "http://schemas.microsoft.com/cdo/configuration/senduserreplyemailaddress";
export const cdoSendUsingMethod = "http://schemas.microsoft.com/cdo/configuration/sendusing";
export const cdoSMTPAccountName = "http://schemas.microsoft.com/cdo/configuration/smtpaccountname";
export const cdoSMTPAuthenticate = "http://schemas.microsoft.com/cdo/configuration/smtpauthenticate";
export const cdoSMTPConnectionTimeout =
  "http://schemas.microsoft.com/cdo/configuration/smtpconnectiontimeout";
export const cdoSMTPServer = "http://schemas.microsoft.com/cdo/configuration/smtpserver";
export const cdoSMTPServerPickupDirectory =
  "http://schemas.microsoft.com/cdo/configuration/smtpserverpickupdirectory";
export const cdoSMTPServerPort = "http://schemas.microsoft.com/cdo/configuration/smtpserverport";
export const cdoSMTPUseSSL = "http://schemas.microsoft.com/cdo/configuration/smtpusessl";
export const cdoURLGetLatestVersion = "http://schemas.microsoft.com/cdo/configuration/urlgetlatestversion";
export const cdoURLProxyBypass = "http://schemas.microsoft.com/cdo/configuration/urlproxybypass";
export const cdoURLProxyServer = "http://schemas.microsoft.com/cdo/configuration/urlproxyserver";
export const cdoUseMessageResponseText =
  "http://schemas.microsoft.com/cdo/configuration/usemessageresponsetext";

// CdoNNTPEnvelope
export const cdoNewsgroupList = "http://schemas.microsoft.com/cdo/nntpenvelope/newsgrouplist";
export const cdoNNTPProcessing = "http://schemas.microsoft.com/cdo/nntpenvelope/nntpprocessing";

// CdoMailHeader
export const cdoApproved = "urn:schemas:mailheader:approved";
export const cdoComment = "urn:schemas:mailheader:comment";
export const cdoContentBase = "urn:schemas:mailheader:content-base";
export const cdoContentClass = "urn:schemas:mailheader:content-class";
export const cdoContentDescription = "urn:schemas:mailheader:content-description";
export const cdoContentDisposition = "urn:schemas:mailheader:content-disposition";
export const cdoContentId = "urn:schemas:mailheader:content-id";
export const cdoContentLanguage = "urn:schemas:mailheader:content-language";
export const cdoContentLocation = "urn:schemas:mailheader:content-location";
export const cdoContentTransferEncoding = "urn:schemas:mailheader:content-transfer-encoding";
export const cdoContentType = "urn:schemas:mailheader:content-type";
export const cdoControl = "urn:schemas:mailheader:control";
export const cdoDisposition = "urn:schemas:mailheader:disposition";
export const cdoDispositionNotificationTo = "urn:schemas:mailheader:disposition-notification-to";
export const cdoDistribution = "urn:schemas:mailheader:distribution";
export const cdoExpires = "urn:schemas:mailheader:expires";
export const cdoFollowupTo = "urn:schemas:mailheader:followup-to";
export const cdoInReplyTo = "urn:schemas:mailheader:in-reply-to";
export const cdoLines = "urn:schemas:mailheader:lines";
export const cdoMessageId = "urn:schemas:mailheader:message-id";
export const cdoMIMEVersion = "urn:schemas:mailheader:mime-version";
export const cdoNewsgroups = "urn:schemas:mailheader:newsgroups";
export const cdoOrganization = "urn:schemas:mailheader:organization";
export const cdoOriginalRecipient = "urn:schemas:mailheader:original-recipient";
export const cdoPath = "urn:schemas:mailheader:path";
export const cdoPostingVersion = "urn:schemas:mailheader:posting-version";
export const cdoReceived = "urn:schemas:mailheader:received";
export const cdoReferences = "urn:schemas:mailheader:references";
export const cdoRelayVersion = "urn:schemas:mailheader:relay-version";
export const cdoReturnPath = "urn:schemas:mailheader:return-path";
export const cdoReturnReceiptTo = "urn:schemas:mailheader:return-receipt-to";
export const cdoSummary = "urn:schemas:mailheader:summary";
export const cdoThreadIndex = "urn:schemas:mailheader:thread-index";
export const cdoXMailer = "urn:schemas:mailheader:x-mailer";
export const cdoXref = "urn:schemas:mailheader:xref";
export const cdoXUnsent = "urn:schemas:mailheader:x-unsent";
export const cdoXFidelity = "urn:schemas:mailheader:x-cdostreamhighfidelity";

// CdoHTTPMail
export const cdoAttachmentFilename = "urn:schemas:httpmail:attachmentfilename";
export const cdoBcc = "urn:schemas:httpmail:bcc";
export const cdoCc = "urn:schemas:httpmail:cc";
export const cdoContentDispositionType = "urn:schemas:httpmail:content-disposition-type";
export const cdoContentMediaType = "urn:schemas:httpmail:content-media-type";
export const cdoDate = "urn:schemas:httpmail:date";
export const cdoDateReceived = "urn:schemas:httpmail:datereceived";
export const cdoFrom = "urn:schemas:httpmail:from";
export const cdoHasAttachment = "urn:schemas:httpmail:hasattachment";
export const cdoHTMLDescription = "urn:schemas:httpmail:htmldescription";
export const cdoImportance = "urn:schemas:httpmail:importance";
export const cdoNormalizedSubject = "urn:schemas:httpmail:normalizedsubject";
export const cdoPriority = "urn:schemas:httpmail:priority";
export const cdoReplyTo = "urn:schemas:httpmail:reply-to";
export const cdoSender = "urn:schemas:httpmail:sender";
export const cdoSubject = "urn:schemas:httpmail:subject";
export const cdoTextDescription = "urn:schemas:httpmail:textdescription";
export const cdoThreadTopic = "urn:schemas:httpmail:thread-topic";
export const cdoTo = "urn:schemas:httpmail:to";
export const cdoKeywords = "urn:schemas-microsoft-com:office:office#Keywords";
export const cdoSensitivity = "http://schemas.microsoft.com/exchange/sensitivity";

// CdoEventStatus
export const cdoRunNextSink = 0;
export const cdoSkipRemainingSinks = 1;

// CdoMessageStat; 1 does not exist in the original
export const cdoStatSuccess = 0;
export const cdoStatAbortDelivery = 2;
export const cdoStatBadMail = 3;

// CdoEventType
export const cdoSMTPOnArrival = 1;
export const cdoNNTPOnPostEarly = 2;
export const cdoNNTPOnPost = 3;
export const cdoNNTPOnPostFinal = 4;

// CdoDSNOptions
export const cdoDSNDefault = 0;
export const cdoDSNNever = 1;
export const cdoDSNFailure = 2;
export const cdoDSNSuccess = 4;
export const cdoDSNDelay = 8;
export const cdoDSNSuccessFailOrDelay = 14;

// CdoReferenceType
export const cdoRefTypeId = 0;
export const cdoRefTypeLocation = 1;

// CdoSendUsing, CdoPostUsing, CdoProtocolsAuthentication, CdoConfigSource
export const cdoSendUsingPickup = 1;
export const cdoSendUsingPort = 2;
export const cdoPostUsingPickup = 1;
export const cdoPostUsingPort = 2;
export const cdoAnonymous = 0;
export const cdoBasic = 1;
export const cdoNTLM = 2;
export const cdoDefaults = -1;
export const cdoIIS = 1;
export const cdoOutlookExpress = 2;

// CdoMHTMLFlags
export const cdoSuppressNone = 0;
export const cdoSuppressImages = 1;
export const cdoSuppressBGSounds = 2;
export const cdoSuppressFrames = 4;
export const cdoSuppressObjects = 8;
export const cdoSuppressStyleSheets = 16;
export const cdoSuppressAll = 31;

// cdoImportanceValues, cdoPriorityValues, cdoSensitivityValues
export const cdoLow = 0;
export const cdoNormal = 1;
export const cdoHigh = 2;
export const cdoPriorityNonUrgent = -1;
export const cdoPriorityNormal = 0;
export const cdoPriorityUrgent = 1;
export const cdoSensitivityNone = 0;
export const cdoPersonal = 1;
export const cdoPrivate = 2;
export const cdoCompanyConfidential = 3;

// CdoNNTPProcessingField
export const cdoPostMessage = 1;
export const cdoProcessControl = 2;
export const cdoProcessModerator = 4;

// CdoTimeZoneId: the ends of the table and the zone without a place
export const cdoUTC = 0;
export const cdoFloating = 52;
export const cdoInvalidTimeZone = 82;

// CdoEncodingType
export const cdo7bit = "7bit";
export const cdo8bit = "8bit";
export const cdoBase64 = "base64";
export const cdoBinary = "binary";
export const cdoMacBinHex40 = "mac-binhex40";
export const cdoQuotedPrintable = "quoted-printable";
export const cdoUuencode = "uuencode";

// CdoCharset
export const cdoBIG5 = "big5";
export const cdoEUC_JP = "euc-jp";
export const cdoEUC_KR = "euc-kr";
export const cdoGB2312 = "gb2312";
export const cdoISO_2022_JP = "iso-2022-jp";
export const cdoISO_2022_KR = "iso-2022-kr";
export const cdoISO_8859_1 = "iso-8859-1";
export const cdoISO_8859_2 = "iso-8859-2";
export const cdoISO_8859_3 = "iso-8859-3";
export const cdoISO_8859_4 = "iso-8859-4";
export const cdoISO_8859_5 = "iso-8859-5";
export const cdoISO_8859_6 = "iso-8859-6";
export const cdoISO_8859_7 = "iso-8859-7";
export const cdoISO_8859_8 = "iso-8859-8";
export const cdoISO_8859_9 = "iso-8859-9";
export const cdoISO_8859_15 = "iso-8859-15";
export const cdoKOI8_R = "koi8-r";
export const cdoShift_JIS = "shift-jis";
export const cdoUS_ASCII = "us-ascii";
export const cdoUTF_7 = "utf-7";
export const cdoUTF_8 = "utf-8";

// CdoContentTypeValues
export const cdoGif = "image/gif";
export const cdoJpeg = "image/jpeg";
export const cdoMessageExternalBody = "message/external-body";
export const cdoMessagePartial = "message/partial";
export const cdoMessageRFC822 = "message/rfc822";
export const cdoMultipartAlternative = "multipart/alternative";
export const cdoMultipartDigest = "multipart/digest";
export const cdoMultipartMixed = "multipart/mixed";
export const cdoMultipartRelated = "multipart/related";
export const cdoTextHTML = "text/html";
export const cdoTextPlain = "text/plain";

// CdoInterfaces
export const cdoAdoStream = "_Stream";
export const cdoIBodyPart = "IBodyPart";
export const cdoIConfiguration = "IConfiguration";
export const cdoIDataSource = "IDataSource";
export const cdoIMessage = "IMessage";
export const cdoIStream = "IStream";

// ADODB: StreamTypeEnum, LineSeparatorsEnum, StreamReadEnum, StreamWriteEnum, SaveOptionsEnum
export const adTypeBinary = 1;
export const adTypeText = 2;
export const adCRLF = -1;
export const adLF = 10;
export const adCR = 13;
export const adReadAll = -1;
export const adReadLine = -2;
export const adWriteChar = 0;
export const adWriteLine = 1;
export const adSaveCreateNotExist = 1;
export const adSaveCreateOverWrite = 2;

/** `new Message()`: the same as `new ActiveXObject("CDO.Message")`, and like it for the time of one call. */
export function Message(): object {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion, typescript/no-unsafe-call -- the global of the runtime
  const { ActiveXObject } = globalThis as unknown as { ActiveXObject: new (progId: string) => object };
  return new ActiveXObject("CDO.Message");
}
