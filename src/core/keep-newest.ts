/** Makes the entry the newest of a map that holds at most `most`; answers the key of the oldest when that one had to go. */
export function keepNewest<Key, Value>(
  map: Map<Key, Value>,
  key: Key,
  value: Value,
  most: number,
): Key | undefined {
  map.delete(key);
  // A Map keeps the order of insertion: the first key is the oldest.
  const oldest = map.size >= most ? map.keys().next().value : undefined;
  if (oldest !== undefined) map.delete(oldest);
  map.set(key, value);
  return oldest;
}
