// Members of a list who are outside the company get a copy of their own, marked in its header; those inside get the message as it is.
import { defineSink } from "onarrival";

export default defineSink({
  event: "OnCategorize",
  onEvent(subject, { properties }) {
    if (subject.kind !== "completeItem" || subject.item.type !== "recipient") return;
    const { item, messages } = subject;
    if (!item.deliver || item.address.endsWith(`@${properties.text("domain", "example.com")}`)) return;
    // Lists with an owner have copies of their own already: theirs is another one.
    const inside = item.copy;
    item.copy = `${inside} outside`;
    const copy = messages.copy(item.copy);
    copy.sender = messages.copy(inside).sender;
    if (!copy.headers.has("X-Sent-Outside")) copy.headers.add("X-Sent-Outside", "yes");
  },
});
