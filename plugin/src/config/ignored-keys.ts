import { isLoose, type Loose } from './types.ts'
import type { Warnings } from './warnings.ts'

/** Keys that are read, that Serverless itself reads, or that change nothing here. */
const PROVIDER_KEYS = new Set([
  'name',
  'stage',
  'network',
  'runtime',
  'timeout',
  'memorySize',
  'environment',
  'httpApi',
  'apiGateway',
  'architecture',
  'lambdaHashingVersion',
  'region',
  'profile',
  'stackName',
  'versionFunctions',
])
const FUNCTION_KEYS = new Set([
  'name',
  'handler',
  'events',
  'description',
  'runtime',
  'timeout',
  'memorySize',
  'environment',
  'package',
  'httpApi',
  'price',
  'warmup',
  'egress',
  'verification',
  'publicHeaders',
  'architecture',
  'image',
])
const TOP_LEVEL_KEYS = new Set([
  'service',
  'provider',
  'functions',
  'plugins',
  'custom',
  'package',
  'params',
  'stages',
  'frameworkVersion',
  'useDotenv',
  'configValidationMode',
  'deprecationNotificationMode',
  'disabledDeprecations',
  'variablesResolutionMode',
  'projectDir',
  'console',
  'dashboard',
])
const SERVED_HTTP_API_KEYS = new Set(['cors', 'payload'])
const SERVED_API_GATEWAY_KEYS = new Set(['binaryMediaTypes', 'request', 'shouldStartNameWithService'])

/** Why a key means nothing here, where that is not plain. */
const REASONS: Record<string, string> = {
  iam: 'a function has no AWS identity',
  role: 'a function has no AWS identity',
  iamRoleStatements: 'a function has no AWS identity',
  vpc: 'a function has no network but the hosts that `egress` names',
  layers: 'everything a function needs is in its bundle',
  resources: 'no CloudFormation resources are created',
  url: 'every function has a URL of its own',
  reservedConcurrency: 'workers start as many sandboxes as there are requests',
  provisionedConcurrency: 'workers keep sandboxes warm by demand',
  apiKeys: 'there are no API keys: a price keeps out who does not pay',
  usagePlan: 'there are no API keys: a price keeps out who does not pay',
  ephemeralStorageSize: '/tmp has 64 MB',
  org: 'there is no dashboard',
  app: 'there is no dashboard',
}

/** `custom` belongs to plugins: a bundler's part of it is read by that bundler alone. */
function noteForeignBundlers({ custom, plugins }: Loose, warnings: Warnings): void {
  const listed = isLoose(plugins) ? plugins.modules : plugins
  const names = Array.isArray(listed) ? listed : []
  const keys = (custom ?? {}) as Loose
  if (keys.webpack && !names.includes('serverless-webpack'))
    warnings.add(
      'custom.webpack',
      'PeerHost bundles by itself; add serverless-webpack to `plugins` to bundle by your own configuration',
    )
  if (keys.esbuild) warnings.add('custom.esbuild', 'PeerHost bundles by itself')
}

/** On AWS these files lie beside the code; patterns that only exclude lose nothing. */
function noteIncludedFiles(packaging: unknown, functionName: string | undefined, warnings: Warnings): void {
  if (!isLoose(packaging) || packaging.artifact) return
  const patterns = [packaging.patterns, packaging.include].flat().filter((pattern) => typeof pattern === 'string')
  if (patterns.some((pattern) => !pattern.startsWith('!')))
    warnings.add(
      'package.patterns',
      'a bundle holds what its handler imports; files that are only read at run time are not in it',
      functionName,
    )
}

/** Notes every key of serverless.yml that has no effect: one line a kind. */
export function noteIgnoredKeys(
  provider: Loose,
  functions: Record<string, Loose>,
  topLevel: Loose,
  warnings: Warnings,
): void {
  const unused = (values: unknown, known: Set<string>) =>
    Object.keys((values as Loose | undefined) ?? {}).filter((key) => !known.has(key))
  for (const key of unused(topLevel, TOP_LEVEL_KEYS)) warnings.add(key, REASONS[key])
  for (const key of unused(provider, PROVIDER_KEYS)) warnings.add(`provider.${key}`, REASONS[key])
  for (const key of unused(provider.httpApi, SERVED_HTTP_API_KEYS)) warnings.add(`provider.httpApi.${key}`)
  for (const key of unused(provider.apiGateway, SERVED_API_GATEWAY_KEYS)) warnings.add(`provider.apiGateway.${key}`)
  noteForeignBundlers(topLevel, warnings)
  noteIncludedFiles(topLevel.package, undefined, warnings)
  for (const [name, definition] of Object.entries(functions)) {
    noteIncludedFiles(definition.package, name, warnings)
    for (const key of unused(definition, FUNCTION_KEYS)) warnings.add(`function key "${key}"`, REASONS[key], name)
  }
}
