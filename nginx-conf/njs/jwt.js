// Checks a JSON Web Token (RFC 7519), for jwt-njs.conf.

// What may be a target at all. Keep it as short as it can be.
const permitted = /^10\.0\.0\.\d+:59\d\d$/;

const algorithms = {
    HS256: {
        imported: (key) => crypto.subtle.importKey(
            'raw', Buffer.from(key), {name: 'HMAC', hash: 'SHA-256'}, false, ['verify']),
        verified: {name: 'HMAC'},
    },
    ES256: {
        imported: (key) => crypto.subtle.importKey(
            'spki', Buffer.from(key.replace(/-----[^-]*-----|\s/g, ''), 'base64'),
            {name: 'ECDSA', namedCurve: 'P-256'}, false, ['verify']),
        verified: {name: 'ECDSA', hash: 'SHA-256'},
    },
};

async function check(r) {
    try {
        const claims = await verified(r.variables.jwt || '');
        r.headersOut['X-Target'] = target(claims);
        r.headersOut['X-Until'] = claims.exp === undefined ? '12h' : `@${claims.exp}`;
        r.return(204);
    } catch (e) {
        // The client learns nothing of it. The token is not logged.
        r.log(`token refused: ${e.message}`);
        r.return(403);
    }
}

async function verified(token) {
    const parts = token.split('.');
    if (parts.length != 3) {
        throw new Error('no JWT');
    }
    const head = json(parts[0]);
    const name = head.kid === undefined ? 'default' : String(head.kid);
    const key = Object.keys(keys).includes(name) ? keys[name] : null;
    if (!key || head.alg !== key.alg || !Object.keys(algorithms).includes(key.alg)) {
        throw new Error('another key or algorithm');
    }
    const algorithm = algorithms[key.alg];
    const signature = Buffer.from(parts[2], 'base64url');
    const signed = Buffer.from(`${parts[0]}.${parts[1]}`);
    const imported = await algorithm.imported(key.key);
    const right = await crypto.subtle.verify(algorithm.verified, imported, signature, signed);
    if (!right) {
        throw new Error('wrong signature');
    }
    return json(parts[1]);
}

function target(claims) {
    const now = Date.now() / 1000;
    if (claims.exp !== undefined && !(claims.exp > now)) {
        throw new Error('it has expired');
    }
    if (claims.nbf !== undefined && !(claims.nbf <= now)) {
        throw new Error('it is not good yet');
    }
    const target = `${claims.host}:${claims.port}`;
    if (!permitted.test(target)) {
        throw new Error('a target that is not permitted');
    }
    return target;
}

function json(part) {
    return JSON.parse(Buffer.from(part, 'base64url').toString());
}

export default {check};
