import { type Hex, parseAddress } from '@peerhost/protocol'

/** Where a request is aimed at. */
export interface RequestTarget {
  /** As received, from the first slash on, without query. */
  rawPath: string
  /** Raw query without `?`. */
  query: string
}

export interface FunctionTarget {
  /** Lower case. */
  owner: Hex
  project: string
  /** Starts with the slash after the project; percent-encoding as received. */
  path: string
  query: string
}

const WALLET_HOST = /^(0x[0-9a-f]{40})\./i

/** Splits a request target, also one in absolute form (RFC 9112, 3.2.2). */
export function parseTarget(url: string): RequestTarget {
  let target = url
  if (!target.startsWith('/')) {
    const authority = /^[A-Za-z][A-Za-z0-9+.-]*:\/\/[^/?#]*/.exec(target)
    target = authority ? target.slice(authority[0].length) : '/'
    if (!target.startsWith('/')) target = `/${target}`
  }
  const fragment = target.indexOf('#')
  if (fragment >= 0) target = target.slice(0, fragment)
  const mark = target.indexOf('?')
  return mark < 0 ? { rawPath: target, query: '' } : { rawPath: target.slice(0, mark), query: target.slice(mark + 1) }
}

/** The first segment of a path. */
export const firstSegment = (rawPath: string): string => {
  const end = rawPath.indexOf('/', 1)
  return rawPath.slice(1, end < 0 ? undefined : end)
}

/** The wallet in a Host header `<wallet>.<host>`, lower case. */
export const walletOfHost = (host: string | undefined): Hex | undefined =>
  WALLET_HOST.exec(host ?? '')?.[1]?.toLowerCase() as Hex | undefined

/** Splits `<project>/<rest>` of a path that starts at `at`. */
function splitProject(owner: Hex, path: string, query: string): FunctionTarget | undefined {
  const project = firstSegment(path)
  if (project === '') return undefined
  return { owner, project, path: path.slice(1 + project.length) || '/', query }
}

/**
 * The function target of a request, by either form of URL: `<wallet>.<host>/<project>/<route>` or
 * `/run/<wallet>/<project>/<route>`; undefined where it is neither.
 */
export function functionTarget(
  { rawPath, query }: RequestTarget,
  host: string | undefined,
): FunctionTarget | undefined {
  if (firstSegment(rawPath) === 'run') {
    const rest = rawPath.slice('/run'.length)
    const wallet = firstSegment(rest)
    const owner = parseAddress(wallet)
    return owner && splitProject(owner, rest.slice(1 + wallet.length), query)
  }
  const owner = walletOfHost(host)
  return owner && splitProject(owner, rawPath, query)
}
