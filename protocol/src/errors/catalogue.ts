/**
 * Who can mend it: `user` the person who called or configured, `remote` another machine, `internal` a defect of ours.
 */
export type ErrorKind = 'user' | 'remote' | 'internal'

export interface ErrorDescriptor {
  /** `{name}` is replaced by the argument of that name. */
  template: string
  hint: string
  kind: ErrorKind
  /** HTTP status that a gateway answers with. */
  status: number
}

const user = (status: number, template: string, hint: string): ErrorDescriptor => ({
  template,
  hint,
  kind: 'user',
  status,
})
const remote = (status: number, template: string, hint: string): ErrorDescriptor => ({
  template,
  hint,
  kind: 'remote',
  status,
})
const internal = (template: string, hint: string, status = 500): ErrorDescriptor => ({
  template,
  hint,
  kind: 'internal',
  status,
})

/** Every error of PeerHost, `PH_AREA_REASON`. docs/errors.md is generated from it. */
export const CATALOGUE = {
  // Configuration: serverless.yml, command line, environment
  PH_CONFIG_INVALID: user(
    400,
    'The configuration is not valid: {detail}',
    'Correct the named key and run the command again.',
  ),
  PH_CONFIG_PRICE_INVALID: user(
    400,
    'Function "{function}": the price "{price}" is not valid',
    'Write a price in USDC, 0 or more, with at most six decimals, for example 0.001.',
  ),
  PH_CONFIG_ROUTE_DUPLICATE: user(
    400,
    'Two functions serve {route}: "{first}" and "{second}"',
    'Give one of them another path or method.',
  ),
  PH_CONFIG_ROUTE_INVALID: user(
    400,
    'Function "{function}": the route "{route}" is not valid',
    'Write a verb and a path, for example GET /users/{id}.',
  ),
  PH_CONFIG_PROJECT_RESERVED: user(
    400,
    'The project name "{project}" is reserved',
    'Choose another `service` name: gateways serve that path themselves.',
  ),
  PH_CONFIG_PROJECT_INVALID: user(
    400,
    'The project name "{project}" is not valid',
    'Use lower or upper case letters, digits, - and _, at most 64 characters.',
  ),
  PH_CONFIG_HANDLER_NOT_FOUND: user(
    400,
    'Function "{function}": the handler "{handler}" was not found',
    'Write the path of the file without its ending, a dot, and the name of the export.',
  ),
  PH_CONFIG_RUNTIME_UNSUPPORTED: user(
    400,
    'Function "{function}": the runtime "{runtime}" is not supported',
    'PeerHost runs Node.js functions; leave `runtime` out or use a nodejs runtime.',
  ),
  PH_CONFIG_AUTHORIZER_UNSUPPORTED: user(
    400,
    'Function "{function}": an event has an authorizer, which PeerHost does not run',
    'Check the caller in the handler and remove `authorizer`; without it anybody could call.',
  ),
  PH_CONFIG_EVENT_UNSUPPORTED: user(
    400,
    'Function "{function}" has only events that cannot be served: {events}',
    'Give it an http or httpApi event, or remove it from this service.',
  ),
  PH_CONFIG_ENVIRONMENT_INVALID: user(
    400,
    'Function "{function}": the environment variable "{variable}" is not a plain value',
    "Ref, Fn::GetAtt, ${ssm:}, ${cf:} and the like have no meaning here: write the value, ${env:NAME}, or a fallback: ${ssm:/x, 'value'}.",
  ),
  PH_CONFIG_VERIFICATION_INVALID: user(
    400,
    'Function "{function}": verification "{verification}" does not go with {reason}',
    'Use none, deterministic or public; a function with egress can only be none.',
  ),
  PH_CONFIG_EGRESS_INVALID: user(
    400,
    'The egress host "{host}" is not valid: {reason}',
    'Write host names, for example api.example.com or db.example.com:5432.',
  ),
  PH_CONFIG_FUNCTION_UNKNOWN: user(404, 'There is no function "{function}" in this service', 'Functions: {known}.'),
  PH_CONFIG_KEY_MISSING: user(
    401,
    'No private key was given',
    'Set PEERHOST_PRIVATE_KEY, or start a local network with `npx peerhost dev`.',
  ),
  PH_CONFIG_KEY_INVALID: user(
    401,
    'The private key is not valid',
    'PEERHOST_PRIVATE_KEY has 64 hexadecimal digits, with or without 0x in front.',
  ),
  PH_CONFIG_NETWORK_UNKNOWN: user(400, 'There is no network "{network}"', 'Use local, amoy or polygon.'),
  PH_CONFIG_NETWORK_MISSING: user(
    400,
    'No local network was found',
    'Start one with `npx peerhost dev`, or name another with --network.',
  ),
  PH_CONFIG_PROVIDER_INVALID: user(
    400,
    'The provider is "{provider}"',
    'Write `provider: peerhost` (or provider.name: peerhost) in serverless.yml.',
  ),
  PH_CONFIG_PLUGIN_CONFLICT: user(400, 'The plugin "{plugin}" does not work together with PeerHost', '{advice}'),

  // Bundles
  PH_BUNDLE_FAILED: user(
    400,
    'Function "{function}" could not be bundled: {detail}',
    'Correct the error in the named file; is a dependency missing from package.json?',
  ),
  PH_BUNDLE_NATIVE_MODULE: user(
    400,
    'Function "{function}" needs the native module {module}',
    'Sandboxes load no native code: use a package in JavaScript or WebAssembly.',
  ),
  PH_BUNDLE_TOO_LARGE: user(
    413,
    'The bundle of function "{function}" has {size} bytes, more than {limit}',
    'Leave out what the function does not need at run time.',
  ),
  PH_BUNDLE_DIGEST_MISMATCH: remote(
    502,
    'The bundle is not the registered one: expected {expected}, got {actual}',
    'Another copy is needed; the store that served it is not to be trusted.',
  ),
  PH_BUNDLE_NOT_DETERMINISTIC: user(
    400,
    'Function "{function}" is not deterministic: {difference}',
    'Mend the difference, or set `verification: none` for this function.',
  ),

  // Manifests
  PH_MANIFEST_INVALID: user(
    400,
    'The manifest is not valid: {detail}',
    'Deploy again with a current serverless-peerhost.',
  ),
  PH_MANIFEST_MISMATCH: remote(502, 'The manifest does not say what is registered: {detail}', 'Deploy again.'),

  // Storage
  PH_STORE_UNREACHABLE: remote(
    503,
    'The store {store} cannot be reached: {detail}',
    'Check its address and that it runs, then try again.',
  ),
  PH_STORE_REFUSED: remote(
    502,
    'The store {store} refused: {detail}',
    'Check the credentials and limits of your account there.',
  ),
  PH_STORE_AUTHENTICATION: user(
    401,
    'The store {store} did not accept the credentials',
    'Check PINATA_JWT (or the key that signs uploads).',
  ),
  PH_STORE_NOT_FOUND: remote(
    404,
    'Nothing is stored under {cid}',
    'Was it deployed to another network, or is its only copy offline?',
  ),
  PH_STORE_BLOCK_INVALID: remote(
    502,
    'A block does not match its address {cid}',
    'The store that served it is not to be trusted; another copy is needed.',
  ),
  PH_STORE_CID_INVALID: user(400, '"{cid}" is not a CID that can be served', 'Use a CIDv1 with sha-256.'),
  PH_STORE_CID_MISMATCH: remote(
    502,
    'The store {store} returned {actual} for {expected}',
    'Upload again; if it stays, report it to the store.',
  ),
  PH_STORE_CAR_INVALID: user(400, 'The CAR is not valid: {detail}', 'Send a CARv1 with one root and all its blocks.'),
  PH_STORE_DAG_INVALID: remote(
    502,
    'What lies under {cid} is not a file that can be read: {detail}',
    'Only UnixFS files are served, no folders; was it stored by PeerHost?',
  ),
  PH_STORE_FORMAT: user(
    406,
    'The format {format} is not served',
    'Ask for ?format=raw or ?format=car (or the Accept header application/vnd.ipld.raw or application/vnd.ipld.car).',
  ),
  PH_STORE_TIMEOUT: remote(504, 'The store {store} did not answer in time', 'Try again in a moment.'),
  PH_STORE_FULL: remote(
    507,
    'The store {store} is full',
    'Its operator can give it more room; or deploy through another gateway.',
  ),
  PH_STORE_TOO_LARGE: user(413, 'The content has more than {limit} bytes', 'Store less at a time.'),

  // Chain
  PH_CHAIN_UNREACHABLE: remote(
    503,
    'The chain at {url} cannot be reached: {detail}',
    'Check PEERHOST_RPC_URL and that the node runs.',
  ),
  PH_CHAIN_WRONG_NETWORK: user(
    400,
    'The node at {url} is of chain {actual}, not {expected}',
    'Point PEERHOST_RPC_URL at a node of the right network.',
  ),
  PH_CHAIN_NO_FUNDS: user(
    402,
    'The account {address} has no funds for the transaction',
    'Send it some of the chain’s own coin for gas.',
  ),
  PH_CHAIN_REVERTED: user(
    400,
    'The transaction was refused by the contract: {reason}',
    'The reason names the contract’s error; docs/errors.md explains it.',
  ),
  PH_CHAIN_CONTRACT_MISSING: user(
    400,
    'There is no contract {contract} at {address}',
    'Check the network and the addresses of its deployment.',
  ),
  PH_CHAIN_USDC_MISMATCH: user(
    400,
    'The token at {address} is not the expected USDC: {detail}',
    'Check the address; payments would be signed for another token.',
  ),
  PH_CHAIN_TIMEOUT: remote(
    504,
    'The transaction {transaction} was not confirmed in {seconds} s',
    'Look it up on the chain before sending it again.',
  ),

  // Signatures and access
  PH_AUTH_MISSING: user(
    401,
    'This route needs a signature',
    'Send the PEERHOST-AUTH header (docs/protocol.md, Access).',
  ),
  PH_AUTH_INVALID: user(
    401,
    'The signature is not valid: {detail}',
    'Sign method, target, body hash and a deadline with the right key.',
  ),
  PH_AUTH_EXPIRED: user(
    401,
    'The signature has expired or lies too far ahead',
    'Check the clock; a signature is good for at most five minutes.',
  ),
  PH_AUTH_FORBIDDEN: user(403, '{address} may not do this', 'Only {allowed} may.'),

  // Requests at a gateway
  PH_REQUEST_NO_ROUTE: user(404, 'Nothing is deployed at {path}', 'See /services for what this gateway serves.'),
  PH_REQUEST_INVALID: user(400, 'The request is not valid: {detail}', 'Correct it and send it again.'),
  PH_REQUEST_METHOD: user(405, 'The method {method} is not served here', 'Use {allowed}.'),
  PH_REQUEST_SCHEMA: user(
    400,
    'The request body does not match the schema of this route: {detail}',
    'Correct the body; nothing was charged.',
  ),
  PH_REQUEST_TOO_LARGE: user(413, 'The request body has more than {limit} bytes', 'Send less; nothing was charged.'),
  PH_REQUEST_HEADERS_TOO_LARGE: user(
    431,
    'The request headers are too large',
    'Send fewer or shorter headers; nothing was charged.',
  ),
  PH_REQUEST_TIMEOUT: user(408, 'The request did not arrive in time', 'Send it again.'),
  PH_GATEWAY_NO_WORKER: remote(503, 'No worker could run the function', 'Try again; nothing was charged.'),
  PH_GATEWAY_BUSY: remote(
    503,
    'The gateway has too many requests under way',
    'Try again in a moment; nothing was charged.',
  ),
  PH_GATEWAY_RATE_LIMITED: user(429, 'Too many requests of this kind', 'Wait {seconds} s.'),
  PH_GATEWAY_STOPPING: remote(503, 'The gateway is stopping', 'Try again in a moment; nothing was charged.'),
  PH_GATEWAY_STORE_FAILED: internal(
    'The gateway cannot keep its promises: its database failed: {detail}',
    'Mend the disk and start the gateway again: payments that were under way are finished or freed then.',
    503,
  ),
  PH_GATEWAY_UNREACHABLE: remote(
    503,
    'The gateway at {url} cannot be reached: {detail}',
    'Check PEERHOST_GATEWAY_URL and that the gateway runs.',
  ),
  PH_GATEWAY_NOT_SERVED: remote(
    504,
    'The gateway at {url} does not serve the new version yet',
    'It is registered; look at /services in a moment.',
  ),
  PH_GATEWAY_REFUSED: remote(502, 'The gateway refused: {detail}', 'Its answer says why.'),

  // Payments
  PH_PAY_REQUIRED: user(402, 'Payment is required', 'Pay with x402: see the PAYMENT-REQUIRED header.'),
  PH_PAY_INVALID: user(
    402,
    'The payment is not valid: {reason}',
    'Sign a new one for the offer in PAYMENT-REQUIRED; nothing was charged.',
  ),
  PH_PAY_REPLAYED: user(
    402,
    'The payment was used already',
    'Sign a new one with another nonce; this request was not charged.',
  ),
  PH_PAY_IN_FLIGHT: user(
    402,
    'A request with this payment is under way',
    'Wait for its answer; one payment runs the function once.',
  ),
  PH_PAY_SETTLEMENT_FAILED: remote(
    402,
    'The payment could not be settled: {reason}',
    'Sign a new one; the function’s answer was not delivered.',
  ),
  PH_PAY_PENDING: remote(
    503,
    'The chain has not confirmed the payment yet',
    'Send the same request with the same payment again in a moment: its answer is kept and charged once.',
  ),
  PH_PAY_TOO_EXPENSIVE: user(
    402,
    'The price {price} is above the limit {limit} (USDC)',
    'Raise --max-price if the call is worth it.',
  ),
  PH_PAY_OFFER_UNACCEPTABLE: user(
    402,
    'The offer was not accepted: {reason}',
    'The gateway asks for something that this client does not sign.',
  ),
  PH_PAY_NO_SIGNER: user(
    402,
    'The call costs {price} USDC and no key was given to pay with',
    'Set PEERHOST_PRIVATE_KEY, or start a local network.',
  ),
  PH_PAY_ANSWER_LOST: remote(
    502,
    'The answer to a paid request was lost: {detail}',
    'Up to {price} USDC may have been taken, once: look at the payer’s balance before you call again.',
  ),

  // Runs of functions
  PH_RUN_THREW: user(502, 'The function threw: {detail}', 'See `serverless logs`.'),
  PH_RUN_TIMEOUT: user(504, 'The function ran longer than {seconds} s', 'Raise `timeout`, or do less at a time.'),
  PH_RUN_OUT_OF_MEMORY: user(502, 'The function used more than {megabytes} MB', 'Raise `memorySize`.'),
  PH_RUN_CRASHED: user(502, 'The function’s process crashed ({detail})', 'See `serverless logs`.'),
  PH_RUN_EXITED: user(
    502,
    'The function ended its process ({detail})',
    'A handler returns its answer; it does not call process.exit.',
  ),
  PH_RUN_REFUSED: remote(503, 'The sandbox refused to run the function: {detail}', 'Try again; nothing was charged.'),
  PH_RUN_INIT_FAILED: user(
    502,
    'The function could not be loaded: {detail}',
    'Its module threw while it loaded; see `serverless logs`.',
  ),
  PH_RUN_RESPONSE_TOO_LARGE: user(
    502,
    'The function’s response has more than {limit} bytes',
    'Return less, or a link to it.',
  ),
  PH_RUN_BAD_RESPONSE: user(
    502,
    'The function’s response is malformed: {detail}',
    'Return {statusCode, headers, body}.',
  ),
  PH_RUN_FORBIDDEN: user(
    502,
    'The function made a system call that the sandbox forbids',
    'Nothing that a handler needs is forbidden; look at what its dependencies do.',
  ),
  PH_RUN_CANCELLED: remote(503, 'The execution was cancelled', 'Its caller lost interest.'),

  // Sandbox and host
  PH_SANDBOX_UNAVAILABLE: user(
    500,
    'The sandbox does not work here: {detail}',
    'Run `npx peerhost doctor`: it says how to mend it.',
  ),

  // Workers
  PH_WORKER_REFUSED: remote(503, 'The worker refused the assignment: {detail}', 'Another worker is tried.'),
  PH_WORKER_DISCONNECTED: remote(503, 'The worker disconnected', 'Another worker is tried.'),
  PH_WORKER_BAD_RECEIPT: remote(502, 'The worker’s receipt is not valid: {detail}', 'Another worker is tried.'),
  PH_WORKER_NOT_ELIGIBLE: user(
    403,
    'The worker {address} is not eligible: {reason}',
    'Stake, register the hot key and wait for the next epoch but one.',
  ),
  PH_WORKER_TIMEOUT: remote(504, 'The worker did not answer in time', 'Another worker is tried.'),

  // Receipts
  PH_RECEIPT_INVALID: user(400, 'The receipt is not valid: {detail}', 'Save it with `peerhost call --save FILE`.'),
  PH_RECEIPT_CHECK_FAILED: user(
    400,
    'The receipt does not hold: {detail}',
    'Keep it: a worker or gateway that signs what is wrong can be slashed.',
  ),

  // The rest
  PH_DEV_START_FAILED: internal(
    'The local network did not start: {detail}',
    'See the messages above; `npx peerhost doctor` checks this machine.',
  ),
  PH_DEV_ALREADY_RUNNING: user(
    400,
    'A network already runs in {folder}',
    'Stop it first, or choose another folder with --data.',
  ),
  PH_DEV_PORT_IN_USE: user(400, 'Port {port} is in use', 'Choose another with --port (0 takes any free one).'),
  PH_FILE_UNREADABLE: user(400, 'The file {file} cannot be read: {detail}', 'Check its name and permissions.'),
  PH_INTERNAL: internal('Something went wrong inside PeerHost: {detail}', 'Please report it with what you did.'),
} as const satisfies Record<string, ErrorDescriptor>

export type ErrorCode = keyof typeof CATALOGUE
