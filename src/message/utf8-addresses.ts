// Which header blocks need SMTPUTF8 on the wire (RFC 6531 §3.2): those with an address that has no ASCII form.
import { isAscii } from "node:buffer";
import { parseAddressList } from "../mime/addresses.ts";
import { isAsciiText } from "../mime/charset.ts";
import { isAddressField } from "../mime/header-value.ts";
import { Headers } from "../mime/headers.ts";

export function hasUtf8Address(header: Buffer): boolean {
  if (isAscii(header)) return false;
  return new Headers(header)
    .entries()
    .some(
      ({ name, value }) =>
        !isAsciiText(value) &&
        isAddressField(name) &&
        parseAddressList(value).some(({ address }) => !isAsciiText(address)),
    );
}
