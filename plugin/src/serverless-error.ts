import { isPeerHostError, type PeerHostError } from '@peerhost/protocol'
import type { Serverless } from './serverless-types.ts'

/** The error as Serverless prints it: sentence and code, and the next step below. Its own class, else it shows as a crash. */
export function toServerlessError(serverless: Serverless, error: PeerHostError): Error {
  const message = `${error.message} (${error.code})\n${error.hint}`
  return Object.assign(new serverless.classes.Error(message, error.code), { cause: error })
}

/** Runs a hook; what is known to go wrong becomes a Serverless error. */
export async function withServerlessErrors(serverless: Serverless, hook: () => Promise<void> | void): Promise<void> {
  try {
    await hook()
  } catch (error) {
    throw isPeerHostError(error) ? toServerlessError(serverless, error) : error
  }
}
