/** What the mesh asks of a logger; the daemon's own fits it. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  /** One that adds `fields` to each line. */
  child(fields: object): Logger;
}
