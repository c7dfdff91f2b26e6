export type LogLevel = 'info' | 'warning' | 'error'

/** Where the gateway tells its operator what it does. Never given keys, payments or bodies. */
export type Log = (level: LogLevel, message: string, details?: Record<string, unknown>) => void

/** Writes the details into the line. */
export function toLog(write: ((level: LogLevel, message: string) => void) | undefined): Log {
  if (!write) return () => {}
  return (level, message, details) => write(level, details ? `${message}: ${JSON.stringify(details)}` : message)
}
