// The part of mailparser that the agreement test calls; the package ships no types.
declare module "mailparser" {
  interface Mailbox {
    readonly name?: string;
    readonly address?: string;
    readonly group?: readonly Mailbox[];
  }
  interface AddressField {
    readonly value: readonly Mailbox[];
  }
  export interface ParsedMail {
    readonly subject?: string;
    readonly from?: AddressField;
    readonly to?: AddressField | readonly AddressField[];
    readonly text?: string;
    readonly html?: string | false;
    readonly attachments: readonly { readonly filename?: string | false; readonly content: Buffer }[];
  }
  export function simpleParser(
    source: Buffer,
    options?: {
      skipHtmlToText?: boolean;
      skipTextToHtml?: boolean;
      skipImageLinks?: boolean;
      skipTextLinks?: boolean;
    },
  ): Promise<ParsedMail>;
}
