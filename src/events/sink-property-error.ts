// What a native sink throws on a sink property that it cannot work with: who reads the configuration shows the line of the property.

export class SinkPropertyError extends RangeError {
  override readonly name = "SinkPropertyError";
  readonly property: string;

  constructor(property: string, message: string) {
    super(message);
    this.property = property;
  }
}
