/** GET /events: one JSON object a line (docker.md §2.8). */
export interface EventMessage {
  Type: string;
  Action: string;
  Actor: { ID: string; Attributes: Record<string, string> };
  scope: 'local';
  /** Seconds since the epoch. */
  time: number;
  /** Nanoseconds since the epoch, of which a double keeps about the microseconds. */
  timeNano: number;
  /** The three of clients before 1.52, for containers and images. */
  status?: string;
  id?: string;
  from?: string;
}
