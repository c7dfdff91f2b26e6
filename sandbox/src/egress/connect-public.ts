import { Resolver } from 'node:dns/promises'
import { isIP, connect as netConnect, type Socket } from 'node:net'
import { isPublicAddress } from './public-address.ts'

/** All addresses of a name. */
export type Resolve = (host: string) => Promise<string[]>
/** Starts a connection to an address, which is never a name. */
export type Connect = (address: string, port: number) => Socket

export interface ConnectPublicOptions {
  resolve?: Resolve
  connect?: Connect
  /** Milliseconds for each address. */
  timeoutMs: number
  signal: AbortSignal
}

/** Why a connection was not made: the code that the function sees, and the reason for its log. */
export class EgressRefusal extends Error {
  readonly code: string
  constructor(code: string, reason: string) {
    super(reason)
    this.code = code
  }
}

const PASSED_ON = new Set(['ECONNREFUSED', 'ECONNRESET', 'EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT'])

const RESOLVER = { timeout: 2_000, tries: 2 }

/**
 * Asks the machine's name servers directly: getaddrinfo would hold a thread of the pool for as long as a hostile name
 * server likes, and answer from /etc/hosts.
 */
const resolveByDns: Resolve = async (host) => {
  const resolver = new Resolver(RESOLVER)
  const [four, six] = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)])
  const addresses = [four, six].flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []))
  if (addresses.length === 0 && four.status === 'rejected') throw four.reason
  return addresses
}
const connectByNet: Connect = (address, port) => netConnect({ host: address, port, allowHalfOpen: true, noDelay: true })

/**
 * Connects to a host by name, if all its addresses are public. The name is resolved once and the checked addresses
 * themselves are connected to, so that a name which changes its answer (DNS rebinding) gains nothing.
 * @throws EgressRefusal
 */
export async function connectPublic(host: string, port: number, options: ConnectPublicOptions): Promise<Socket> {
  const { resolve = resolveByDns, connect = connectByNet, timeoutMs, signal } = options
  const addresses = isIP(host) ? [host] : await resolveName(resolve, host)
  signal.throwIfAborted()
  const unfit = addresses.find((address) => !isPublicAddress(address))
  if (unfit !== undefined) {
    throw new EgressRefusal('ECONNREFUSED', `it leads to ${unfit}, which is not a public address`)
  }
  let failure = new EgressRefusal('ENOTFOUND', 'the name has no address')
  for (const address of addresses) {
    try {
      return await established(connect(address, port), timeoutMs, signal)
    } catch (error) {
      signal.throwIfAborted()
      const { code = 'ECONNREFUSED' } = error as NodeJS.ErrnoException
      failure = new EgressRefusal(PASSED_ON.has(code) ? code : 'ECONNREFUSED', `the connection failed (${code})`)
    }
  }
  throw failure
}

async function resolveName(resolve: Resolve, host: string): Promise<string[]> {
  try {
    return await resolve(host)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const final = code === 'ENOTFOUND' || code === 'ENODATA'
    throw new EgressRefusal(final ? 'ENOTFOUND' : 'EAI_AGAIN', `the name does not resolve (${code})`)
  }
}

function established(socket: Socket, timeoutMs: number, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => {
      settle()
      socket.on('error', () => {})
      socket.destroy()
      reject(error)
    }
    const expire = () => fail(Object.assign(new Error('timeout'), { code: 'ETIMEDOUT' }))
    const abort = () => fail(Object.assign(new Error('aborted'), { code: 'ECONNREFUSED' }))
    const timer = setTimeout(expire, timeoutMs)
    const succeed = () => {
      settle()
      resolve(socket)
    }
    const settle = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', abort)
      socket.off('connect', succeed).off('error', fail)
    }
    socket.once('connect', succeed).once('error', fail)
    signal.addEventListener('abort', abort, { once: true })
  })
}
