module deprov

go 1.19
