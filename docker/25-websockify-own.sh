#!/bin/sh
# After the templates: where /etc/nginx/conf.d has a site of its own, the image's site is left out.
for file in /etc/nginx/conf.d/*.conf; do
    if [ -e "$file" ]; then
        echo "25-websockify-own: /etc/nginx/conf.d has a site of its own, WEBSOCKIFY_TARGET is not used"
        rm -f "$NGINX_ENVSUBST_OUTPUT_DIR/websockify.conf"
        break
    fi
done
