import { formatUsdc, type ManifestFunction, type Route } from '@peerhost/protocol'

/** Bytes as people read them: `1.2 kB`. */
export function formatSize(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`
  if (bytes < 1_000_000) return `${(bytes / 1000).toFixed(bytes < 100_000 ? 1 : 0)} kB`
  return `${(bytes / 1_000_000).toFixed(1)} MB`
}

/** `0.001 USDC`, or `free`. */
export const formatPrice = (atomic: string): string => (atomic === '0' ? 'free' : `${formatUsdc(BigInt(atomic))} USDC`)

/** Where a project is reached without a name server for wallets. */
export const projectUrl = (gatewayUrl: string, owner: string, project: string): string =>
  `${gatewayUrl}/run/${owner}/${project}`

/** Method and address of a route as Serverless prints them. */
export function endpoint(base: string, route: Pick<Route, 'method' | 'path' | 'catchAll'>): string {
  if (route.catchAll) return `ANY - ${base}/*`
  return `${route.method} - ${base}${route.path}`
}

/** The endpoints of functions: their routes, or their own address where they have none. */
export function endpointsOf(base: string, functions: Pick<ManifestFunction, 'name' | 'routes'>[]): string[] {
  return functions.flatMap(({ name, routes }) =>
    routes.length > 0 ? routes.map((route) => endpoint(base, route)) : [`ANY - ${base}/${name}`],
  )
}

/** `endpoint: …`, or a list. */
export function endpointLines(endpoints: string[]): string[] {
  if (endpoints.length === 0) return []
  return endpoints.length === 1
    ? [`endpoint: ${endpoints[0]}`]
    : ['endpoints:', ...endpoints.map((line) => `  ${line}`)]
}
