export interface Certificates {
  /** PEM of the local certificate authority, which clients trust. */
  ca: string;
  cert: string;
  key: string;
}
