apply -q -f configs/web-farm.yaml
diff -f configs/tcp-services.yaml --summary
